"""The space of NASViT: its size, what its stages are made of, and its costs by a formula."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from supernet import Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.nn import ElasticDepth, ElasticResolution, RelativeBias2d, ScalingBank
from supernet.space import Arch
from supernet.zoo.attention.hybrid_layer import HybridLayer
from supernet.zoo.attention.nasvit import PUBLISHED, TINY
from supernet.zoo.elastic.shortcut_mbconv import ShortcutMBConv
from zoo_networks import archs_of, computes_the_same_in_onnx

MIN, MAX = (189.79, 8.39), (1881.71, 17.11)
"""MACs and parameters in millions; those of no subnet were published. A0, not released, has 208 M MACs."""


@cache
def whole() -> Supernet:
    return zoo.nasvit()


@cache
def small() -> Supernet:
    return zoo.nasvit(**TINY, in_channels=1, image_size=14, num_classes=3)


def divisible(width: float) -> int:
    """MobileNet's rounding to a multiple of 8."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


def by_formula(config: dict[str, Any], *, classes: int = 1000, window: int = 18) -> tuple[int, int]:
    """MACs and parameters of a configuration, by the arithmetic of the paper's blocks alone."""
    macs = params = 0

    def conv(c_in: int, c_out: int, kernel: int, pixels: int, *, groups: int = 1, bias: bool = False) -> None:
        nonlocal macs, params
        macs += c_in // groups * c_out * kernel**2 * pixels
        params += c_in // groups * c_out * kernel**2 + bias * c_out

    def normed(width: int) -> None:
        nonlocal params
        params += 2 * width

    r, width = config["resolution"], config["width"]
    side, c = -(-r // 2), width[0]
    conv(3, c, 3, side**2)
    normed(c)
    squeezed = (False, False, True, False, True, True, True)
    for stage, (out, kernel, t, depth, stride, se) in enumerate(
        zip(
            width[1:-1],
            config["kernel_size"],
            config["expand_ratio"],
            config["depth"],
            (1, 2, 2, 2, 2, 1, 2),
            squeezed,
            strict=True,
        )
    ):
        for place in range(depth):
            if place and stage > 2:
                tokens, heads = side**2, out // 8
                conv(out, 2 * out + 4 * out, 1, tokens, bias=True)  # queries, keys; values four times as wide
                conv(4 * out, 4 * out, 3, tokens, groups=4 * out)
                conv(4 * out, out, 1, tokens, bias=True)
                macs += tokens**2 * (out + 4 * out)  # products of queries and keys, of weights and values
                for _ in range(2):
                    conv(heads, heads, 1, tokens**2, bias=True)  # talking heads
                    conv(out, out, 1, tokens, bias=True)
                    conv(out, out, 1, tokens, bias=True)
                params += (2 * window - 1) ** 2 * heads + 3 * 2 * out + 2 * out  # biases, norms, scales
                continue
            stride, before = (stride if place == 0 else 1), side
            middle, side = c if t == 1 else divisible(c * t), -(-side // stride)
            if t != 1:
                conv(c, middle, 1, before**2)
                normed(middle)
            conv(middle, middle, kernel, side**2, groups=middle)
            normed(middle)
            if se:
                reduced = divisible(middle // 4)
                conv(middle, reduced, 1, 1, bias=True)
                conv(reduced, middle, 1, 1, bias=True)
            conv(middle, out, 1, side**2)
            normed(out)
            if c != out:
                conv(c, out, 1, side**2)
            c = out
    conv(c, 6 * c, 1, side**2)
    normed(6 * c)
    conv(6 * c, width[-1], 1, 1)
    conv(width[-1], classes, 1, 1, bias=True)
    return macs, params


def test_the_space_has_the_published_size_and_options() -> None:
    space = whole().space
    assert space.size == 48_157_949_952
    options = {choice.name: choice.options for choice in space.choices}
    assert options == {
        "resolution": (192, 224, 256, 288),
        "stem.width": (16, 24),
        "stage1.width": (16, 24),
        "stage1.depth": (1, 2),
        "stage1.kernel": (3, 5),
        "stage2.width": (24, 32),
        "stage2.depth": (3, 4, 5),
        "stage2.kernel": (3, 5),
        "stage2.expansion": (4, 5, 6),
        "stage3.width": (32, 40),
        "stage3.depth": (3, 4, 5, 6),
        "stage3.expansion": (4, 5, 6),
        "stage4.width": (64, 72),
        "stage4.depth": (3, 4, 5, 6),
        "stage4.expansion": (4, 5, 6),
        "stage5.width": (112, 120, 128),
        "stage5.depth": (3, 4, 5, 6, 7, 8, 9),
        "stage5.expansion": (4, 5, 6),
        "stage6.width": (160, 168, 176, 184),
        "stage6.depth": (3, 4, 5, 6, 7, 8),
        "stage7.width": (208, 216, 224),
        "stage7.depth": (3, 4, 5, 6),
        "head.width": (1792, 1984),
    }
    assert PUBLISHED.strides == (2, 1, 2, 2, 2, 2, 1, 2)


def test_the_formula_gives_the_extremes() -> None:
    for arch, expected in ((whole().space.smallest(), MIN), (whole().space.largest(), MAX)):
        macs, params = by_formula(zoo.nasvit_config(arch))
        assert (round(macs / 1e6, 2), round(params / 1e6, 2)) == expected


@pytest.mark.parametrize("number", [0, *(pytest.param(number, marks=pytest.mark.slow) for number in (1, 2, 3))])
def test_costs_are_those_of_the_formula(number: int) -> None:
    space = whole().space
    arch = [space.smallest(), space.largest(), *space.wrap(space.population(np.random.default_rng(0), 2))][number]
    subnet = whole().extract(arch).eval()
    params = measure.count_params(subnet)  # before the move, which parts what is shared
    assert (measure.count_macs(subnet.to("meta"), (3, 224, 224)), params) == by_formula(zoo.nasvit_config(arch))


@pytest.mark.slow
def test_costs_of_a_small_one_are_the_counted_ones() -> None:
    net = zoo.nasvit(
        width_multiplier=0.15, depth_multiplier=0.3, image_size=12, resolutions=(9, 12), num_classes=3, in_channels=1
    )
    for arch in archs_of(net, 3):
        subnet = net.extract(arch).eval()
        assert measure.params(net, arch) == measure.count_params(subnet)
        assert measure.macs(net, arch) == measure.count_macs(subnet, (1, 12, 12))


def stages(net: Supernet) -> list[list[nn.Module]]:
    return [list(stage) for stage in net.module.modules() if isinstance(stage, ElasticDepth)]


def test_hybrid_stages_begin_with_a_convolution() -> None:
    kinds = [[type(block) for block in stage] for stage in stages(whole())]
    assert [len(stage) for stage in kinds] == [2, 5, 6, 6, 9, 8, 6]
    for number, stage in enumerate(kinds, start=1):
        assert stage == [ShortcutMBConv, *[HybridLayer if number > 3 else ShortcutMBConv] * (len(stage) - 1)]
    gated = [any(isinstance(layer, nn.Hardsigmoid) for layer in stage[0].modules()) for stage in stages(whole())]
    assert gated == [False, False, True, False, True, True, True]


def test_layers_know_depth_and_tokens_of_their_stage() -> None:
    net = whole()
    arch = net.space.arch({**net.space.smallest(), "resolution": 288, "stage5.depth": 7})
    with net.active(arch):
        found = {
            (number, net.selection.value(bank.depth), net.selection.value(bank.tokens))
            for number, stage in enumerate(stages(net), start=1)
            for block in stage
            for bank in block.modules()
            if isinstance(bank, ScalingBank)
        }
    assert found == {(4, 3, 18**2), (5, 7, 9**2), (6, 3, 9**2), (7, 3, 5**2)}
    assert {m.window for m in net.modules() if isinstance(m, RelativeBias2d)} == {18}


def test_images_are_resized_bicubically_and_attention_keeps_few_tokens() -> None:
    (resize,) = (m for m in whole().modules() if isinstance(m, ElasticResolution))
    assert resize.mode == "bicubic"
    for side, first, last in ((224, 16, 64), (64, 16, 16), (28, 8, 8), (8, 2, 2)):
        net = zoo.nasvit(**TINY, image_size=side, num_classes=3)
        smallest = net.space.smallest()
        with net.active(smallest):
            for stage, reduction in ((3, first), (6, last)):
                layer = stages(net)[stage][1]
                assert isinstance(layer, HybridLayer)
                assert net.selection.value(layer.grid.side) == -(-smallest["resolution"] // reduction)


def test_convolutions_begin_as_their_shortcut_if_asked() -> None:
    for zero in (True, False):
        net = zoo.nasvit(**TINY, image_size=8, num_classes=3, zero_gamma=zero)
        blocks = [block for stage in stages(net) for block in stage if isinstance(block, ShortcutMBConv)]
        last = [[m for m in block.body.modules() if isinstance(m, nn.BatchNorm2d)][-1] for block in blocks]
        assert all((norm.weight == 0).all() for norm in last) is zero


def test_configurations_are_read_and_written_as_the_code_does() -> None:
    space = whole().space
    for arch in [*space.wrap(space.population(np.random.default_rng(0), 20)), space.largest()]:
        config = zoo.nasvit_config(arch)
        assert zoo.nasvit_arch(space, config) == arch
        assert (config["kernel_size"][2:], config["expand_ratio"][5:]) == ([3] * 5, [6, 6])
    with pytest.raises(UsageError, match=r"stage3.kernel=5.*\(3,\)"):
        zoo.nasvit_arch(space, {**config, "kernel_size": [3, 3, 5, 3, 3, 3, 3]})


def test_a_small_one_is_drawn_as_a_chain() -> None:
    arch: Arch = small().space.smallest()
    drawn = [node.label for node in small().module.diagram(arch).nodes]  # type: ignore[operator]
    first, second = drawn.index("MB4 k3"), [label for label in drawn if label.startswith("attention")]
    assert drawn[:3] == ["input", "conv 3×3", "MB1 k3"]
    assert first == 3
    assert second
    assert set(second) <= {f"attention {heads} heads" for heads in range(1, 8)}
    assert drawn[-2:] == ["conv 1×1", "output"]


@pytest.mark.slow
def test_a_small_one_is_exported(tmp_path: Path) -> None:
    computes_the_same_in_onnx(small(), archs_of(small(), 3)[2], tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"norm": "batch"}, "'batch'"),
        ({"image_size": 448}, "larger window"),
        ({"strides": (2, 2)}, "give 8 of 1 or 2"),
        ({"resolutions": (48,)}, "reduce an image 64 times"),
        ({"image_size": 0}, "image_size is 0"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        zoo.nasvit(**options)


def test_it_trains_in_both_norms() -> None:
    x = torch.randn(2, 1, 14, 14)
    for norm in ("joint", "token"):
        net = zoo.nasvit(**TINY, in_channels=1, image_size=14, num_classes=3, norm=norm)
        net(x, net.space.largest()).sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in net.module.stages[-1].parameters())  # type: ignore[index, union-attr]
