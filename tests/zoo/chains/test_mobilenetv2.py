import pytest
import torch
from torch import nn

from supernet import measure, zoo
from supernet.data import digits
from supernet.errors import UsageError
from supernet.runs.naming import build_space
from zoo_networks import count_macs, count_params

FAIRNAS_A = (4, 0, 4, 1, 5, 0, 0, 5, 5, 2, 1, 2, 2, 1, 1, 5, 1, 5, 3)
FAIRNAS_B = (2, 0, 2, 0, 1, 2, 4, 0, 1, 2, 0, 1, 4, 0, 5, 3, 5, 1, 3)
FAIRNAS_C = (2, 0, 4, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 5, 5, 1, 1, 3)
PROXYLESS_MOBILE = (2, 0, -1, -1, 4, 0, 2, 2, 5, 2, 2, 2, 3, 2, 2, 2, 5, 5, 4, 4, 5)
OPS = ("MB3_K3", "MB6_K3", "MB3_K5", "MB6_K5", "MB3_K7", "MB6_K7")


PROXYLESS = [("proxyless", "257.4", "606.6"), ("proxyless_gpu", "460.9", "1036.7")]


@pytest.fixture(scope="module")
def nets():
    return {name: zoo.mobilenetv2(variant=name) for name in ("fairnas", "proxyless", "proxyless_gpu", "greedynas")}


@pytest.mark.parametrize(
    ("variant", "smallest", "largest"),
    [("fairnas", "247.1", "557.4"), *(pytest.param(*row, marks=pytest.mark.slow) for row in PROXYLESS)],
)
def test_range_of_macs_is_that_of_the_released_code(nets, variant, smallest, largest):
    net = nets[variant]
    ends = [zoo.mobilenetv2_arch(net.space, (number,) * len(net.space)) for number in (0, 5)]  # no identity
    assert [f"{measure.macs(net, arch) / 1e6:.1f}" for arch in ends] == [smallest, largest]
    assert ends[1] == net.space.largest()


def test_fairnas_a_costs_what_is_published(nets):
    net = nets["fairnas"]
    arch = zoo.mobilenetv2_arch(net.space, FAIRNAS_A)
    assert measure.macs(net, arch) == 388_122_848  # published: 388 M
    assert measure.params(net, arch, norm=False) == 4_608_696  # published: 4.6 M
    subnet = net.extract(arch).eval()
    assert count_macs(subnet, torch.zeros(1, 3, 224, 224)) == 388_122_848
    assert count_params(subnet) == 4_651_352


@pytest.mark.parametrize(("ids", "published"), [(FAIRNAS_B, 345), (FAIRNAS_C, 321)])
def test_fairnas_b_and_c_cost_what_is_published(nets, ids, published):
    net = nets["fairnas"]
    assert round(measure.macs(net, zoo.mobilenetv2_arch(net.space, ids)) / 1e6) == published


@pytest.mark.slow
def test_the_released_mobile_network_of_proxylessnas_has_a_first_stage_of_32(nets):
    net = nets["greedynas"]
    arch = zoo.mobilenetv2_arch(net.space, PROXYLESS_MOBILE)
    assert round(measure.macs(net, arch) / 1e6) == 320  # published: 320 M
    assert measure.params(net, arch) == 4_080_512  # published: 4.1 M


@pytest.mark.parametrize(
    ("variant", "size"),
    [
        ("fairnas", 6**19),
        ("proxyless", 7**15 * 6**6),
        ("proxyless_gpu", 7**15 * 6**6),
        ("greedynas", 7**21),
        ("greedynas_augmented", 13**21),
    ],
)
def test_sizes_are_the_published_ones(variant, size):
    assert zoo.mobilenetv2(variant=variant, image_size=32, width_multiplier=0.1).space.size == size


def test_the_wide_network_is_the_narrow_one_times_135_percent():
    wide = zoo.mobilenetv2(variant="proxyless", image_size=32, depth_multiplier=0.25, width_multiplier=1.35)
    gpu = zoo.mobilenetv2(variant="proxyless_gpu", image_size=32, depth_multiplier=0.25)
    for ids in ((0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0)):
        ours, theirs = zoo.mobilenetv2_arch(wide.space, ids), zoo.mobilenetv2_arch(gpu.space, ids)
        assert measure.macs(wide, ours) == measure.macs(gpu, theirs)
        assert measure.params(wide, ours) == measure.params(gpu, theirs)


def weights_by_hand(number: int, c_in: int, c_out: int, *, gated: bool = False) -> int:
    """Weights and biases of one block, BatchNorm left out."""
    hidden, kernel = c_in * (3, 6)[number % 2], (3, 5, 7)[number // 2]
    gate = 0
    if gated:
        reduced = int(hidden / 4 + 4) // 8 * 8
        gate = 2 * hidden * reduced + hidden + reduced
    return c_in * hidden + hidden * kernel**2 + gate + hidden * c_out


def test_weights_of_fairnas_a_by_hand(nets):
    total = 3 * 32 * 9 + (32 * 9 + 32 * 16) + 320 * 1280 + 1280 * 1000 + 1000
    ids, c_in = iter(FAIRNAS_A), 16
    for c_out, depth in ((32, 2), (40, 4), (80, 4), (96, 4), (192, 4), (320, 1)):
        for _ in range(depth):
            total += weights_by_hand(next(ids), c_in, c_out)
            c_in = c_out
    net = nets["fairnas"]
    assert measure.params(net, zoo.mobilenetv2_arch(net.space, FAIRNAS_A), norm=False) == total


def test_gates_of_the_augmented_space_by_hand():
    net = zoo.mobilenetv2(variant="greedynas_augmented", image_size=32, width_multiplier=0.5, depth_multiplier=0.25)
    widths = [layer.candidate(0).width_in for layer in net.module.layers]
    assert widths == [8, 16, 24, 40, 48, 96]
    plain = net.space.arch(dict.fromkeys(net.space.names, "MB6_K5"))
    gated = net.space.arch(dict.fromkeys(net.space.names, "MB6_K5_SE"))
    extra = sum(weights_by_hand(3, c, c, gated=True) - weights_by_hand(3, c, c) for c in widths)
    assert measure.params(net, gated) - measure.params(net, plain) == extra


def test_numbers_lead_back(nets):
    for variant, ids in (("fairnas", FAIRNAS_A), ("proxyless", PROXYLESS_MOBILE), ("greedynas", (-1,) * 21)):
        arch = zoo.mobilenetv2_arch(nets[variant].space, ids)
        assert zoo.mobilenetv2_ids(arch) == ids
    assert [arch[f"layer{n}"] for n in (1, 3, 8)] == ["identity"] * 3
    arch = zoo.mobilenetv2_arch(nets["fairnas"].space, (*range(6), *range(6), *range(6), 0))
    assert [arch[f"layer{n}"] for n in range(1, 7)] == list(OPS)


def test_where_a_layer_may_be_the_identity(nets):
    def places(variant):
        return [place for place, choice in enumerate(nets[variant].space.choices) if "identity" in choice.options]

    firsts = {0, 4, 8, 12, 16, 20}
    assert places("fairnas") == []
    assert places("proxyless") == [place for place in range(21) if place not in firsts]
    assert places("greedynas") == list(range(21))
    shortcuts = [layer.candidate(6) for layer in nets["greedynas"].module.layers]
    assert {place for place, shortcut in enumerate(shortcuts) if isinstance(shortcut, nn.Sequential)} == firsts
    assert all(isinstance(nets["proxyless"].module.layers[place].candidate(6), nn.Identity) for place in (1, 2, 3))


def test_smallest_is_all_identity_where_there_is_one():
    net = zoo.mobilenetv2(variant="proxyless", image_size=32, width_multiplier=0.1)
    assert zoo.mobilenetv2_ids(net.space.smallest()) == (0, -1, -1, -1) * 5 + (0,)
    augmented = zoo.mobilenetv2(variant="greedynas_augmented", image_size=32, width_multiplier=0.1)
    assert set(augmented.space.largest().options().values()) == {"MB6_K7_SE"}


def test_blocks_are_residual_where_the_shape_stays(nets):
    layers = zoo.mobilenetv2(image_size=32, width_multiplier=0.25).module.layers.eval()
    second, first = layers[3].candidate(2), layers[2].candidate(2)
    x = torch.randn(2, second.width_in, 4, 4)
    torch.testing.assert_close(second(x), second.body(x) + x)
    x = torch.randn(2, first.width_in, 4, 4)
    torch.testing.assert_close(first(x), first.body(x))
    assert isinstance(second.body[2], nn.ReLU6)
    assert isinstance(second.body[-1], nn.BatchNorm2d)


def test_a_stage_that_does_not_widen_still_halves_the_image():
    strides = (1, 2, 1, 1, 1, 1, 1)
    net = zoo.mobilenetv2(
        variant="greedynas", image_size=6, width_multiplier=0.1, depth_multiplier=0.25, strides=strides
    )
    first = net.module.layers[0].candidate(0)
    assert first.width_in == first.width_out
    for candidate in (first, net.module.layers[0].candidate(6)):
        assert candidate.eval()(torch.zeros(1, first.width_in, 6, 6)).shape == (1, first.width_out, 3, 3)


def test_activations_are_those_of_the_variant():
    kinds = {"fairnas": nn.ReLU6, "greedynas": nn.ReLU, "greedynas_augmented": nn.Hardswish}
    for variant, kind in kinds.items():
        net = zoo.mobilenetv2(variant=variant, image_size=32, width_multiplier=0.1, depth_multiplier=0.1)
        arch = net.space.arch(dict.fromkeys(net.space.names, "MB3_K3"))
        names = {type(m).__name__ for m in net.extract(arch).modules() if "ReLU" in type(m).__name__}
        assert names == ({kind.__name__} if "ReLU" in kind.__name__ else set())
        assert any(isinstance(m, kind) for m in net.modules())


def test_affine_is_about_the_candidates():
    net = zoo.mobilenetv2(variant="greedynas", image_size=32, width_multiplier=0.1, depth_multiplier=0.1, affine=False)
    fixed = [m for part in (net.module.stem, net.module.first, net.module.head) for m in part.modules()]
    norms = {m for m in net.modules() if isinstance(m, nn.BatchNorm2d)}
    assert all(norm.affine for norm in norms & set(fixed))
    assert not any(norm.affine for norm in norms - set(fixed))
    assert len(norms & set(fixed)) == 4


def test_diagram_is_the_chain(nets):
    nodes = (
        nets["greedynas"]
        .module.diagram(zoo.mobilenetv2_arch(nets["greedynas"].space, (-1, -1, 5, *PROXYLESS_MOBILE[3:])))
        .nodes
    )
    assert len(nodes) == 26
    assert [(node.label, node.detail) for node in nodes[:6]] == [
        ("input", "224×224"),
        ("conv 3×3", "3→32, 112×112"),
        ("MB1 k3", "32→16, 112×112"),
        ("conv 1×1", "16→32, 56×56"),
        ("identity", "32→32, 56×56"),
        ("MB6 k7", "32→32, 56×56"),
    ]
    assert (nodes[-2].label, nodes[-2].detail) == ("conv 1×1", "320→1280, 7×7")


@pytest.mark.parametrize("ids", [(0,) * 18, (0,) * 18 + (6,), (0,) * 18 + (-2,)])
def test_other_numbers_are_refused(nets, ids):
    with pytest.raises(UsageError, match="Give 19 numbers"):
        zoo.mobilenetv2_arch(nets["fairnas"].space, ids)


def test_identity_is_refused_where_there_is_none(nets):
    with pytest.raises(UsageError, match="'layer19' has no option 'identity'"):
        zoo.mobilenetv2_arch(nets["fairnas"].space, (0,) * 18 + (-1,))


def test_gated_blocks_have_no_number():
    net = zoo.mobilenetv2(variant="greedynas_augmented", image_size=32, width_multiplier=0.1, depth_multiplier=0.1)
    with pytest.raises(UsageError, match="MB6_K7_SE has no published number"):
        zoo.mobilenetv2_ids(net.space.largest())


@pytest.mark.parametrize("other", [lambda: zoo.nasbench_macro(channels=1, head_channels=1), lambda: zoo.mbconv()])
def test_other_spaces_are_refused(other):
    with pytest.raises(UsageError, match=r"zoo\.mobilenetv2"):
        zoo.mobilenetv2_ids(other().space.smallest())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variant": "mnasnet"}, "'mnasnet' does not exist"),
        ({"num_classes": 0}, "num_classes is 0"),
        ({"head_width": -1}, "head_width is -1"),
        ({"statistics": "ema"}, "'ema'"),
        ({"dropout": -0.1}, "dropout is -0.1"),
        ({"width_multiplier": -1}, "width multiplier"),
        ({"depth_multiplier": (1, 1)}, "each of the 6 stages"),
        ({"strides": (1, 1)}, "give 7 of 1 or 2"),
        ({"image_size": 16, "strides": (2, 2, 2, 2, 1, 2, 1)}, "16 pixels"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        zoo.mobilenetv2(**options)


def test_the_command_line_fits_it_to_the_images():
    options = {"variant": "proxyless", "width_multiplier": 0.25, "depth_multiplier": 0.25}
    net = build_space("mobilenetv2", options, digits())
    assert net.input_shape == (1, 8, 8)
    assert len(net.space) == 6
    assert net.eval()(torch.zeros(1, 1, 8, 8), net.space.smallest()).shape == (1, 10)
