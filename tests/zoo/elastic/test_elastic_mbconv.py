import math

import numpy as np
import pytest
import torch

from supernet import zoo
from supernet.errors import UsageError
from supernet.space import round_to
from supernet.zoo import Stage
from supernet.zoo.elastic.elastic_mbconv_stage import default_resolutions, default_stages
from zoo_networks import count_macs


def expected_macs(arch, stages, *, in_channels, stem=16, head=128, classes=10, squeeze=False, size=None):
    """Convolutions and linear layers of a network, summed from its decisions."""
    size = arch["resolution"] if size is None else size
    total = in_channels * stem * 9 * size**2
    width = stem
    for s, stage in enumerate(stages, start=1):
        out = arch[f"stage{s}.width"]
        for b in range(1, arch[f"stage{s}.depth"] + 1):
            hidden = round_to(width * arch[f"stage{s}.block{b}.expansion"], 8)
            total += width * hidden * size**2
            size = math.ceil(size / (stage.stride if b == 1 else 1))
            total += hidden * arch[f"stage{s}.block{b}.kernel"] ** 2 * size**2
            if squeeze:
                total += 2 * hidden * round_to(hidden / 4, 8)
            total += hidden * out * size**2
            width = out
    return total + width * head * size**2 + head * classes


@pytest.mark.parametrize("squeeze", [False, True])
def test_macs_follow_from_the_decisions(squeeze):
    net = zoo.mbconv(squeeze_excite=squeeze).eval()
    archs = net.space.wrap(net.space.population(np.random.default_rng(0), 8))
    for arch in [net.space.smallest(), net.space.largest(), *archs]:
        counted = count_macs(net.extract(arch), torch.zeros(1, 1, 8, 8))
        assert counted == expected_macs(arch, default_stages(8), in_channels=1, squeeze=squeeze)


def test_default_for_digits_is_rich_and_small():
    net = zoo.mbconv()
    # resolution × per stage widths × Σ_depth (kernels × expansions)^depth
    assert net.space.size == 2 * (2 * (6 + 36)) * (2 * (6 + 36 + 216)) ** 2
    largest = count_macs(net.extract(net.space.largest()).eval(), torch.zeros(1, 1, 8, 8))
    assert 1.5e6 < largest < 3e6


@pytest.mark.parametrize(("size", "low", "high"), [(16, 4e6, 6e6), (28, 14e6, 20e6), (32, 16e6, 24e6)])
def test_default_grows_with_the_image(size, low, high):
    net = zoo.mbconv(image_size=size)
    largest = count_macs(net.extract(net.space.largest()).eval(), torch.zeros(1, 1, size, size))
    assert low < largest < high


def test_resolutions_end_at_the_image():
    assert default_resolutions(28) == (16, 20, 24, 28)
    assert default_resolutions(224) == (140, 168, 196, 224)
    assert default_resolutions(9) == (6, 9)


def test_resolution_decides_the_size_inside():
    net = zoo.mbconv(image_size=16).eval()
    seen = []
    net.module.stem.register_forward_hook(lambda _, __, out: seen.append(out.shape[-1]))
    for side in default_resolutions(16):
        with torch.no_grad():
            net(torch.zeros(1, 1, 16, 16), net.space.arch({**net.space.smallest(), "resolution": side}))
    assert seen == [10, 12, 14, 16]


def test_choices_of_blocks_that_do_not_run_do_not_count():
    net = zoo.mbconv()
    deep = dict(net.space.largest())
    shallow = net.space.arch({**deep, "stage2.depth": 1})
    assert shallow["stage2.block1.kernel"] == 5
    assert shallow["stage2.block2.kernel"] is None
    assert shallow == net.space.arch({**deep, "stage2.depth": 1, "stage2.block3.kernel": 3})


def test_single_options_make_no_choice():
    stages = (Stage((8,), (1,), (3,), (2,)), Stage((8, 16), (1,), (3,), (2,), stride=2))
    net = zoo.mbconv(stages=stages, resolutions=(8,))
    assert net.space.names == ("stage2.width",)
    assert net(torch.zeros(2, 1, 8, 8), net.space.largest()).shape == (2, 10)


def test_first_block_is_chosen_freely_where_the_stage_never_vanishes():
    net = zoo.mbconv(stages=(Stage((8,), (2, 3)),))
    gated = [choice.name for choice in net.space.choices if choice.when is not None]
    assert gated == ["stage1.block3.expansion", "stage1.block3.kernel"]


@pytest.mark.parametrize("zero_gamma", [True, False])
def test_residual_blocks_start_as_the_identity_when_asked(zero_gamma):
    net = zoo.mbconv(zero_gamma=zero_gamma)
    x = torch.randn(4, 1, 8, 8)
    deep = net.space.largest()
    shallow = net.space.arch({**deep, "stage1.depth": 1, "stage2.depth": 1, "stage3.depth": 2})
    out = net(x, deep)
    assert torch.equal(out, net(x, shallow)) is zero_gamma
    assert not torch.allclose(out[0], out[1])  # the other blocks are alive


def test_hidden_widths_are_multiples_of_eight():
    net = zoo.mbconv(stem_width=10, stages=(Stage((10,), (2,), (3,), (1, 2)),), resolutions=(8,))
    arch = net.space.arch({"stage1.block1.expansion": 1, "stage1.block2.expansion": 2})
    widths = [m.out_channels for m in net.extract(arch).modules() if isinstance(m, torch.nn.Conv2d) and m.groups > 1]
    assert widths == [16, 24]  # 10 is rounded up, for 8 is less than 90 % of it; 20 to the next multiple


def test_activations_and_gates():
    for name, layer in (("relu", "ReLU"), ("hswish", "Hardswish"), ("swish", "SiLU")):
        net = zoo.mbconv(activation=name, squeeze_excite=True)
        kinds = {type(m).__name__ for m in net.modules()}
        assert layer in kinds
        assert not kinds & ({"ReLU", "Hardswish", "SiLU"} - {layer})
        assert ("Hardsigmoid" in kinds) is (name == "hswish")


def test_gradients_reach_the_active_slices_only():
    net = zoo.mbconv(zero_gamma=False)
    arch = net.space.smallest()
    net(torch.randn(4, 1, 8, 8), arch).square().sum().backward()
    stage = net.module.stages[0]
    assert all(p.grad is None for p in stage[1].parameters())  # depth 1
    expand, depthwise = stage[0].body[0], stage[0].body[3]
    assert expand.weight.shape[0] == 64
    assert expand.weight.grad[:32].abs().amin(dim=(1, 2, 3)).gt(0).any()
    assert not expand.weight.grad[32:].any()
    assert not depthwise.weight.grad[..., 0, :].any()  # the rim of the 5 × 5 kernel
    assert depthwise.weight.grad[:32, :, 1:4, 1:4].any()


def test_diagram_is_the_chain_with_sizes():
    net = zoo.mbconv()
    arch = net.space.smallest()
    assert [(node.label, node.detail) for node in net.module.diagram(arch).nodes] == [
        ("input", "6×6"),
        ("conv 3×3", "1→16, 6×6"),
        ("MB2 k3", "16→16, 6×6"),
        ("MB2 k3", "16→24, 3×3"),
        ("MB2 k3", "24→48, 2×2"),
        ("conv 1×1", "48→128, 2×2"),
        ("output", ""),
    ]
    assert len(net.module.diagram(net.space.largest()).nodes) == 2 + 2 + 8


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image_size": 2}, "smallest resolution is 2 pixels"),
        ({"resolutions": (3, 8)}, "smallest resolution is 3 pixels"),
        ({"resolutions": ()}, "distinct sides"),
        ({"resolutions": (8, 8)}, "distinct sides"),
        ({"resolutions": (7.5,)}, "resolutions is 7.5"),
        ({"stages": ()}, "no stages"),
        ({"statistics": "mean"}, "'mean'"),
        ({"activation": "gelu"}, "'gelu'"),
        ({"stem_stride": 3}, "stride of the stem is 3"),
        ({"head_width": 0}, "head_width is 0"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        zoo.mbconv(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"widths": ()}, "widths of a stage"),
        ({"widths": (16, 16)}, "widths of a stage"),
        ({"depths": (0, 1)}, "depths of a stage is 0"),
        ({"kernels": (3, 4)}, "odd"),
        ({"expansions": (2.5,)}, "expansions of a stage is 2.5"),
        ({"stride": 4}, "stride of a stage is 4"),
    ],
)
def test_bad_stages_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        Stage(**{"widths": (8,), "depths": (1,), **options})
