"""OFA-MobileNetV3: its counts, its costs to the published digits, and what its blocks are made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ofa_counts import Count, mobile
from supernet import Arch, Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.nn import ElasticConv2d, TransformConv2d
from supernet.nn.laws import LAWS, Law, inactive_gets_no_gradient, training_commutes
from supernet.nn.norm import is_batch_norm
from supernet.zoo.elastic.elastic_mbconv_block import MBConv
from supernet.zoo.elastic.ofa_mobilenetv3 import TINY
from zoo_networks import archs_of, computes_the_same_in_onnx, costs_are_the_counted_ones, count_macs, count_params

STAGES = ((24, 2, False), (40, 2, True), (80, 2, False), (112, 1, True), (160, 2, True))
HOLD = [law for law in LAWS if law not in (training_commutes, inactive_gets_no_gradient)]


def counted(arch: Any, *, size: int, **options: Any) -> Count:
    return mobile(arch, size=size, stem=16, first=16, stages=STAGES, head=(960, 1280), **options)


def extreme(kernel: int, expansion: int, depth: int) -> dict[str, int]:
    found = {f"stage{s}.depth": depth for s in range(1, 6)}
    for place in (f"stage{s}.block{b}" for s in range(1, 6) for b in range(1, 5)):
        found |= {f"{place}.kernel": kernel, f"{place}.expansion": expansion}
    return found


def tiny(**options: Any) -> Supernet:
    torch.manual_seed(0)
    return zoo.ofa_mobilenetv3(**{"num_classes": 5, "image_size": 28, **TINY, **options})


LARGEST = {
    1.0: {128: 188.2, 160: 291.3, 192: 417.3, 224: 566.2},
    1.2: {160: 433.6, 192: 621.3, 224: 843.1},
}
SMALLEST = {1.0: {128: 41.5, 160: 63.2, 192: 89.8, 224: 121.3}, 1.2: {160: 100.3, 192: 142.8, 224: 193.1}}
PARAMS = {1.0: (7.665, 3.411), 1.2: (10.702, 4.602)}


@pytest.mark.parametrize("width", [1.0, 1.2])
def test_costs_are_those_that_were_counted_from_the_official_tables(width: float) -> None:
    """Millions, by an independent count that agrees with the official code's networks."""
    for arch, golden, params in zip(
        (extreme(7, 6, 4), extreme(3, 3, 2)), (LARGEST[width], SMALLEST[width]), PARAMS[width], strict=True
    ):
        for size, macs in golden.items():
            found = counted(arch, size=size, width=width)
            assert (round(found.macs / 1e6, 1), round(found.params / 1e6, 3)) == (macs, params)


@pytest.mark.parametrize("width", [1.0, 1.2])
def test_the_network_has_these_costs(width: float) -> None:
    net = zoo.ofa_mobilenetv3(width_multiplier=width, resolutions=(160, 224))
    for arch in (net.space.largest(), net.space.smallest()):
        small, size = net.extract(arch).eval(), int(arch["resolution"])  # type: ignore[call-overload]
        expected = counted(arch, size=size, width=width)
        assert (count_macs(small, torch.zeros(1, 3, 224, 224)), count_params(small)) == (expected.macs, expected.params)


NAT = {  # the subnets that NAT's authors released: kernels and expansions of the blocks that run, stage by stage
    "M1": (1.0, "33 333 553 555 5533", "33 344 443 433 6666", 6.07),
    "M2": (1.2, "33 73 775 37 7333", "33 33 433 64 6663", 7.69),
    "M3": (1.2, "533 5353 5533 5735 7333", "333 4443 4633 6664 6663", 9.07),
    "M4": (1.2, "3535 5535 7535 3573 3353", "3434 4463 6634 6664 6663", 9.14),
}


@pytest.mark.parametrize("name", NAT)
def test_subnets_that_others_released_have_their_parameters(name: str) -> None:
    width, kernels, expansions, params = NAT[name]
    found = {}
    for s, (of_kernel, of_expansion) in enumerate(zip(kernels.split(), expansions.split(), strict=True), start=1):
        found[f"stage{s}.depth"] = len(of_kernel)
        for b, (kernel, expansion) in enumerate(zip(of_kernel, of_expansion, strict=True), start=1):
            found |= {f"stage{s}.block{b}.kernel": int(kernel), f"stage{s}.block{b}.expansion": int(expansion)}
    assert counted(found, size=224, width=width).params / 1e6 == pytest.approx(params, abs=0.008)


def test_the_space_is_the_published_one() -> None:
    net = zoo.ofa_mobilenetv3(width_multiplier=0.1)
    assert net.space.size == 25 * (9**2 + 9**3 + 9**4) ** 5
    assert net.space.size / 25 == pytest.approx(2.176e19, rel=1e-3)
    choice = net.space.choices[net.space.column("resolution")]
    assert choice.options == tuple(range(128, 225, 4))
    wide = zoo.ofa_mobilenetv3(width_multiplier=1.2).space
    assert wide.choices[wide.column("resolution")].options == tuple(range(160, 225, 4))
    assert net.space.choices[net.space.column("stage5.block4.kernel")].when is not None
    assert net.space.choices[net.space.column("stage5.block2.kernel")].when is None
    assert [module.p for module in net.modules() if isinstance(module, nn.Dropout)] == [0.1]


def test_costs_follow_from_the_decisions() -> None:
    net = tiny(image_size=16, width_multiplier=0.4, resolutions=(12, 16))
    archs = archs_of(net, 2)
    costs_are_the_counted_ones(net, archs)
    for arch in archs:
        expected = counted(
            arch,
            size=int(arch["resolution"]),
            width=0.4,
            strides=(1, 1, 1, 1, 2, 1, 2),
            classes=5,  # type: ignore[call-overload]
        )
        assert (measure.macs(net, arch), measure.params(net, arch)) == (expected.macs, expected.params)


@pytest.mark.slow
@pytest.mark.parametrize("law", HOLD)
def test_the_laws_of_transformed_weights_hold(law: Law) -> None:
    net = tiny(image_size=6, width_multiplier=0.1, resolutions=(4, 6), dropout=0.1, statistics="track")
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "matrix" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    law(net, lambda arch: torch.randn(4, 3, 6, 6))


def test_blocks_are_those_of_the_released_code() -> None:
    net = tiny(width_multiplier=1.0)
    activations = {nn.ReLU: "relu", nn.Hardswish: "hswish"}
    for stage, activation, gated in zip(
        net.module.stages,
        ("relu", "relu", "hswish", "hswish", "hswish"),
        (0, 1, 0, 1, 1),
        strict=True,  # type: ignore[arg-type, union-attr]
    ):
        for place, block in enumerate(stage):  # type: ignore[arg-type]
            assert isinstance(block, MBConv)
            kinds = [type(layer) for layer in block.body]
            assert [activations[kind] for kind in kinds if kind in activations] == [activation] * 2
            assert len(kinds) == 8 + gated
            assert isinstance(block.body[3], TransformConv2d)
            assert block.residual == (place > 0)
            if gated:
                gate = block.body[6].gate
                assert [type(layer) for layer in gate][2::2] == [nn.ReLU, nn.Hardsigmoid]
    assert [type(layer) for layer in net.module.first.body] == [  # type: ignore[union-attr]
        *(ElasticConv2d, type(net.module.stem[1]), nn.ReLU),  # type: ignore[index]
        *(ElasticConv2d, type(net.module.stem[1])),  # type: ignore[index]
    ]
    assert net.module.first.residual  # type: ignore[union-attr]
    assert net.module.head[4].bias is None  # type: ignore[index, union-attr]
    assert {norm.eps for norm in net.modules() if is_batch_norm(norm)} == {1e-5}


def test_weights_begin_as_in_the_released_code() -> None:
    net = zoo.ofa_mobilenetv3(width_multiplier=1.0, image_size=28)
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 5000:
            std = math.sqrt(2 / (module.kernel_size[0] ** 2 * module.out_channels))
            assert module.weight.std().item() == pytest.approx(std, rel=0.1)
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            assert not module.bias.any()
        if isinstance(module, nn.Linear):
            assert module.weight.abs().max().item() == pytest.approx(1 / math.sqrt(1280), rel=1e-3)
        if isinstance(module, MBConv):
            assert module.body[-1].weight.eq(1).all(), "no block begins as the identity"  # type: ignore[union-attr]
        if isinstance(module, TransformConv2d):
            assert torch.equal(module.matrix_7to5, torch.eye(25))


def test_small_images_and_one_option_per_axis() -> None:
    for size, channels in ((28, 1), (32, 3), (64, 3)):
        net = tiny(image_size=size, in_channels=channels)
        assert net(torch.zeros(2, channels, size, size), net.space.smallest()).shape == (2, 5)
    fixed = tiny(depths=(1,), kernels=(3,), expansions=(2, 3), resolutions=(28,), transform=True)
    assert {name.rpartition(".")[2] for name in fixed.space.names} == {"expansion"}
    assert not any(isinstance(module, TransformConv2d) for module in fixed.modules())
    assert not any(isinstance(module, TransformConv2d) for module in tiny(transform=False).modules())


@pytest.mark.slow
def test_a_subnet_computes_the_same_in_onnx(tmp_path: Any) -> None:
    net = tiny(resolutions=(20, 28))
    computes_the_same_in_onnx(net, net.space.sample(np.random.default_rng(0)), tmp_path)


def test_the_diagram_shows_the_blocks_that_run() -> None:
    net = tiny(depths=(1, 2))
    arch: Arch = net.space.smallest()
    labels = [node.label for node in net.module.diagram(arch).nodes]  # type: ignore[operator, union-attr]
    assert labels == ["input", "conv 3×3", "MB1 k3", *["MB2 k3"] * 5, "conv 1×1", "output"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"depths": ()}, "The depths are"),
        ({"depths": (0, 1)}, "One of the depths is 0"),
        ({"kernels": (3, 3)}, "The kernels are"),
        ({"kernels": (3, 4)}, "odd kernel sizes"),
        ({"expansions": (1.5,)}, "One of the expansions is 1.5"),
        ({"resolutions": (4, 28)}, "The smallest resolution is 4 pixels"),
        ({"resolutions": (28, 28)}, "The resolutions are"),
        ({"strides": (2, 2)}, "The strides are"),
        ({"dropout": 1.0}, "The dropout is"),
        ({"width_multiplier": 0}, "width multiplier"),
        ({"statistics": "mean"}, "'mean'"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        tiny(**options)
