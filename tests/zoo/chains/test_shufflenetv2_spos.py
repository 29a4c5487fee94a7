import numpy as np
import pytest
import torch
from torch import nn

from supernet import measure, zoo
from supernet.data import digits
from supernet.errors import UsageError
from supernet.runs.naming import build_space
from zoo_networks import count_macs

RELEASED = (2, 1, 0, 1, 2, 0, 2, 0, 2, 0, 2, 3, 0, 0, 0, 0, 3, 2, 3, 3)


@pytest.fixture(scope="module")
def net():
    return zoo.shufflenetv2_spos()


@pytest.fixture(scope="module")
def small():
    return zoo.shufflenetv2_spos(num_classes=5, image_size=32, width_multiplier=0.25, depth_multiplier=0.25)


@pytest.mark.parametrize(
    ("blocks", "macs", "weights"),
    [
        ((0,) * 20, "295.84", "3.13"),
        ((1,) * 20, "313.65", "3.19"),
        ((2,) * 20, "340.37", "3.28"),
        ((3,) * 20, "358.83", "3.83"),
        (RELEASED, "322.92", "3.53"),  # published: 323 M, 3.5 M
    ],
)
def test_macs_and_weights_are_those_of_the_released_code(net, blocks, macs, weights):
    arch = zoo.shufflenetv2_spos_arch(net.space, blocks)
    assert f"{measure.macs(net, arch) / 1e6:.2f}" == macs
    assert f"{measure.params(net, arch, norm=False) / 1e6:.2f}" == weights


def test_the_released_architecture_counted_while_it_runs(net):
    subnet = net.extract(zoo.shufflenetv2_spos_arch(net.space, RELEASED)).eval()
    assert count_macs(subnet, torch.zeros(1, 3, 224, 224)) == 322_918_720
    assert sum(p.numel() for p in subnet.parameters()) == 3_529_312  # BatchNorm has no weights here


def test_a_dropout_of_a_tenth_stands_before_the_classifier_alone(net):
    dropouts = [(name, module.p) for name, module in net.named_modules() if isinstance(module, nn.Dropout)]
    (name, share) = dropouts[0]
    assert (len(dropouts), share) == (1, 0.1)
    assert dict(net.named_modules())[name.removesuffix("5") + "6"].out_features == 1000
    (bare,) = [m for m in zoo.shufflenetv2_spos(dropout=0.0).modules() if isinstance(m, nn.Dropout)]
    assert bare.p == 0.0


def weights_by_hand(block: str, c_in: int, c_out: int, *, first: bool) -> int:
    """Weights of one layer, written down from the paper's figures rather than read off modules."""
    hidden, seen = c_out // 2, c_in if first else c_in // 2
    made = c_out - seen
    if block == "xception":
        main = 9 * seen + seen * hidden + 9 * hidden + hidden * hidden + 9 * hidden + hidden * made
        kernel = 3
    else:
        kernel = int(block[1])
        main = seen * hidden + kernel**2 * hidden + hidden * made
    return main + (kernel**2 * seen + seen * seen if first else 0)


def test_weights_of_random_architectures_by_hand(net):
    for arch in net.space.wrap(net.space.population(np.random.default_rng(0), 20)):
        total, c_in, names = 3 * 16 * 9 + 640 * 1024 + 1024 * 1000, 16, iter(net.space.names)
        for c_out, depth in ((64, 4), (160, 4), (320, 8), (640, 4)):
            for place in range(depth):
                total += weights_by_hand(arch[next(names)], c_in, c_out, first=place == 0)
                c_in = c_out
        assert measure.params(net, arch) == total


def test_the_space_is_the_published_one(net):
    assert net.space.size == 4**20
    assert zoo.shufflenetv2_spos_blocks(net.space.smallest()) == (0,) * 20
    assert zoo.shufflenetv2_spos_blocks(net.space.largest()) == (3,) * 20
    assert zoo.shufflenetv2_spos(image_size=32, width_multiplier=0.25).space.fingerprint == net.space.fingerprint


def test_random_architectures_cost_what_the_paper_samples(net):
    costs = measure.cost_model(net).macs(net.space.population(np.random.default_rng(0), 20_000)) / 1e6
    assert abs(costs.mean() - 327.1) < 0.2
    assert abs((costs <= 330).mean() - 0.59) < 0.02


def test_blocks_lead_back(net):
    assert zoo.shufflenetv2_spos_blocks(zoo.shufflenetv2_spos_arch(net.space, RELEASED)) == RELEASED
    assert zoo.shufflenetv2_spos_arch(net.space, RELEASED)["layer12"] == "xception"


def test_even_channels_pass_and_odd_ones_are_computed_on(small):
    inside = small.module.layers[3].candidate(0).eval()
    x = torch.randn(2, inside.width_in, 4, 4)
    y = inside(x)
    torch.testing.assert_close(y[:, : inside.width_in // 2], x[:, ::2])
    torch.testing.assert_close(y[:, inside.width_in // 2 :], inside.main(x[:, 1::2]))


def test_first_layers_compute_both_halves_from_all_channels(small):
    first = small.module.layers[0].candidate(2).eval()
    x = torch.randn(2, first.width_in, 8, 8)
    y = first(x)
    torch.testing.assert_close(y[:, : first.width_in], first.passing(x))
    torch.testing.assert_close(y[:, first.width_in :], first.main(x))
    assert first.passing[0].kernel_size == first.main[3].kernel_size == (7, 7)


def test_released_initialisation_is_normal_with_one_over_the_fan_in():
    torch.manual_seed(0)
    net = zoo.shufflenetv2_spos(width_multiplier=2, depth_multiplier=0.25)
    seen = set()
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 10_000:
            fan_in = module.weight.shape[1]
            seen.add(fan_in)
            assert module.weight.std().item() * fan_in == pytest.approx(1, rel=0.05)
            assert abs(module.weight.mean().item()) * fan_in < 0.05
    depthwise = torch.cat([m.weight.flatten() for m in net.modules() if isinstance(m, nn.Conv2d) and m.groups > 1])
    assert depthwise.std().item() == pytest.approx(1, rel=0.02)
    assert len(seen) > 3
    assert net.module.stem[0].weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert net.module.head[-1].weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert net.module.head[-1].bias is None


def test_the_other_initialisation_is_torchs():
    torch.manual_seed(0)
    net = zoo.shufflenetv2_spos(width_multiplier=0.5, depth_multiplier=0.25, initialisation="torch")
    head = net.module.head[0].weight
    assert head.std().item() == pytest.approx((1 / 3 / head.shape[1]) ** 0.5, rel=0.05)


@pytest.mark.parametrize("affine", [False, True])
def test_affine_is_about_every_batch_norm(affine):
    net = zoo.shufflenetv2_spos(image_size=32, width_multiplier=0.25, depth_multiplier=0.25, affine=affine)
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) > 50
    assert {norm.affine for norm in norms} == {affine}


def test_channel_search_scales_the_width_inside_the_blocks():
    net = zoo.shufflenetv2_spos(image_size=32, width_multiplier=0.5, depth_multiplier=0.25, channel_search=True)
    assert net.space.size == (4 * 8) ** 5
    blocks = (0, 3, 1, 2, 3)
    plain = zoo.shufflenetv2_spos(image_size=32, width_multiplier=0.5, depth_multiplier=0.25)
    same = zoo.shufflenetv2_spos_arch(net.space, blocks)
    assert measure.macs(net, same) == measure.macs(plain, zoo.shufflenetv2_spos_arch(plain.space, blocks))
    scales = (0.6, 1.6, 0.4, 1.0, 0.6)
    arch = zoo.shufflenetv2_spos_arch(net.space, blocks, scales=scales)
    assert zoo.shufflenetv2_spos_blocks(arch) == blocks
    weights = dict(net.extract(arch).named_parameters())
    found = [len(weights[f"layers.{n}.main.{2 if block == 3 else 0}.weight"]) for n, block in enumerate(blocks)]
    assert found == [10, 64, 32, 80, 96]  # half of 32, 80, 160, 160, 320 times the scale


def test_narrow_widths_are_prefixes():
    net = zoo.shufflenetv2_spos(image_size=8, width_multiplier=0.25, depth_multiplier=0.25, channel_search=True)
    arch = zoo.shufflenetv2_spos_arch(net.space, (0,) * 5, scales=(0.4,) * 5)
    wide = net.module.layers[3].candidate(0).main[0].weight
    narrow = dict(net.extract(arch).named_parameters())["layers.3.main.0.weight"]
    assert len(narrow) == round(0.4 * 80 / 2) < len(wide)
    torch.testing.assert_close(narrow, wide[: len(narrow)], rtol=0, atol=0)


def test_strides_follow_the_images_and_may_be_given():
    net = zoo.shufflenetv2_spos(image_size=32, width_multiplier=0.25, depth_multiplier=0.25)
    sides = {}
    for place in (0, 1, 2, 4):
        net.module.layers[place].register_forward_hook(lambda _, x, y, place=place: sides.update({place: y.shape[-1]}))
    net.eval()(torch.zeros(1, 3, 32, 32), net.space.smallest())
    assert sides == {0: 32, 1: 16, 2: 8, 4: 4}
    given = zoo.shufflenetv2_spos(image_size=32, width_multiplier=0.25, depth_multiplier=0.25, strides=(2, 1, 2, 2, 1))
    assert [layer.candidate(0).stride for layer in given.module.layers] == [1, 2, 2, 1, 1]
    assert given.module.stem[0].stride == (2, 2)


def test_diagram_is_the_chain(net):
    nodes = net.module.diagram(zoo.shufflenetv2_spos_arch(net.space, RELEASED)).nodes
    assert len(nodes) == 24
    assert [(node.label, node.detail) for node in nodes[:5]] == [
        ("input", "224×224"),
        ("conv 3×3", "3→16, 112×112"),
        ("shuffle k7", "16→64, 56×56"),
        ("shuffle k5", "64→64, 56×56"),
        ("shuffle k3", "64→64, 56×56"),
    ]
    assert [(node.label, node.detail) for node in nodes[-3:-1]] == [
        ("Xception", "640→640, 7×7"),
        ("conv 1×1", "640→1024, 7×7"),
    ]


def test_diagram_tells_the_width_inside_the_blocks():
    net = zoo.shufflenetv2_spos(image_size=8, width_multiplier=0.25, depth_multiplier=0.25, channel_search=True)
    arch = zoo.shufflenetv2_spos_arch(net.space, (0, 1, 2, 3, 0), scales=(1.0, 0.4, 1.0, 1.6, 1.0))
    labels = [node.label for node in net.module.diagram(arch).nodes][2:7]
    assert labels == ["shuffle k3 · 8", "shuffle k5 · 8", "shuffle k7 · 40", "Xception · 64", "shuffle k3 · 80"]


@pytest.mark.parametrize(
    ("blocks", "scales", "words"),
    [
        ((0,) * 19, None, "Give 20 numbers"),
        ((0,) * 19 + (4,), None, "Give 20 numbers"),
        ((-1,) * 20, None, "Give 20 numbers"),
        ((0,) * 20, (1.0,) * 20, "no channel search"),
    ],
)
def test_other_tuples_are_refused(net, blocks, scales, words):
    with pytest.raises(UsageError, match=words):
        zoo.shufflenetv2_spos_arch(net.space, blocks, scales=scales)


@pytest.mark.parametrize(("scales", "words"), [((1.0,) * 4, "4 scales"), ((0.3,) * 5, "0.3")])
def test_other_scales_are_refused(scales, words):
    net = zoo.shufflenetv2_spos(image_size=8, width_multiplier=0.25, depth_multiplier=0.25, channel_search=True)
    with pytest.raises(UsageError, match=words):
        zoo.shufflenetv2_spos_arch(net.space, (0,) * 5, scales=scales)


@pytest.mark.parametrize("other", [lambda: zoo.nasbench_macro(channels=1, head_channels=1), lambda: zoo.mbconv()])
def test_other_spaces_are_refused(other):
    with pytest.raises(UsageError, match=r"zoo\.shufflenetv2_spos"):
        zoo.shufflenetv2_spos_blocks(other().space.smallest())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_classes": 0}, "num_classes is 0"),
        ({"head_width": 0}, "head_width is 0"),
        ({"image_size": 2.5}, "image_size is 2.5"),
        ({"statistics": "ema"}, "'ema'"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"initialisation": "zeros"}, "'zeros'"),
        ({"width_multiplier": 0}, "width multiplier"),
        ({"width_multiplier": 0.1}, "each stage must be wider"),
        ({"depth_multiplier": (1, 1)}, "each of the 4 stages"),
        ({"strides": (1, 1)}, "give 5 of 1 or 2"),
        ({"image_size": 16, "strides": (2, 2, 2, 2, 2)}, "16 pixels"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        zoo.shufflenetv2_spos(**options)


def test_the_command_line_fits_it_to_the_images():
    net = build_space(
        "shufflenetv2_spos", {"width_multiplier": 0.25, "depth_multiplier": [0.25, 0.25, 0.25, 1]}, digits()
    )
    assert net.input_shape == (1, 8, 8)
    assert len(net.space) == 8
    assert net.eval()(torch.zeros(1, 1, 8, 8), net.space.smallest()).shape == (1, 10)
