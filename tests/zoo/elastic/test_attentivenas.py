"""The space of AttentiveNAS and AlphaNet: its size, the published models, and what its blocks are made of."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from supernet import Supernet, zoo
from supernet.errors import UsageError
from supernet.nn import DropPath, ElasticDepth, ElasticResolution
from supernet.space import Arch
from supernet.zoo.elastic.attentivenas import MODELS, TINY
from supernet.zoo.elastic.shortcut_mbconv import ShortcutMBConv
from zoo_networks import (
    archs_of,
    computes_the_same_in_onnx,
    costs_are_the_counted_ones,
    count_macs,
    count_params,
    images,
)

PUBLISHED = {
    # README of the released code, in millions; its parameters are not given, those here are counted by a formula
    # that gives the published MACs. A5-base has 596 there.
    "a0": (203.39, 8.95),
    "a1": (279.24, 9.45),
    "a2": (316.73, 11.15),
    "a3": (356.52, 12.78),
    "a4": (443.53, 11.81),
    "a5": (490.52, 12.60),
    "a5_small": (491.48, 12.97),
    "a5_base": (594.79, 12.40),
    "a6": (709.01, 15.15),
}
README = {"a0": 203, "a1": 279, "a2": 317, "a3": 357, "a4": 444, "a5": 491, "a5_small": 491, "a5_base": 596, "a6": 709}


@cache
def whole() -> Supernet:
    return zoo.attentivenas()


@cache
def small() -> Supernet:
    return zoo.attentivenas(**TINY, in_channels=1, image_size=14, num_classes=3)


def costs(net: Supernet, arch: Arch) -> tuple[int, int]:
    """MACs and parameters, without computing."""
    assert net.input_shape is not None
    subnet = net.extract(arch).eval().to("meta")
    return count_macs(subnet, torch.zeros(1, *net.input_shape, device="meta")), count_params(subnet)  # type: ignore[misc]


def in_millions(found: tuple[int, int]) -> tuple[float, float]:
    return round(found[0] / 1e6, 2), round(found[1] / 1e6, 2)


def test_the_space_has_the_published_size_and_options() -> None:
    space = whole().space
    assert space.size == 440_301_256_704
    options = {choice.name: choice.options for choice in space.choices}
    assert len(options) == 1 + 1 + 4 * 7 - 3 + 1
    assert options["resolution"] == (192, 224, 256, 288)
    assert options["stage5.depth"] == options["stage6.depth"] == (3, 4, 5, 6, 7, 8)
    assert options["stage6.width"] == (192, 200, 208, 216)
    assert {name for name in options if name.endswith("expansion")} == {f"stage{n}.expansion" for n in (2, 3, 4, 5)}
    assert all(choice.when is None for choice in space.choices)


@pytest.mark.parametrize(
    "model",
    [model if model in ("a1", "a5_base") else pytest.param(model, marks=pytest.mark.slow) for model in PUBLISHED],
)
def test_a_published_model_costs_what_was_published(model: str) -> None:
    found = in_millions(costs(whole(), zoo.attentivenas_arch(whole().space, model)))
    assert found == PUBLISHED[model]
    assert found[0] == pytest.approx(README[model], abs=0.51 if model != "a5_base" else 1.3)


def test_the_smallest_is_a0_and_the_largest_costs_what_was_counted() -> None:
    space = whole().space
    assert zoo.attentivenas_arch(space, "a0") == space.smallest()
    assert in_millions(costs(whole(), space.largest())) == (1939.34, 23.40)


def test_configurations_are_read_and_written_as_the_code_does() -> None:
    space = whole().space
    for arch in [*space.wrap(space.population(np.random.default_rng(0), 20)), space.largest()]:
        config = zoo.attentivenas_config(arch)
        assert zoo.attentivenas_arch(space, config) == arch
        assert config["width"][6] == arch["stage6.width"]
        assert config["expand_ratio"][:2] == [1, arch["stage2.expansion"]]
    assert len({str(zoo.attentivenas_arch(space, model)) for model in MODELS}) == len(MODELS) == 9


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("a7", "no published model 'a7'"),
        ({**MODELS["a1"], "depth": [1, 3]}, "depth of 7"),
        ({"resolution": 224}, "width of 9"),
        ({**MODELS["a1"], "expand_ratio": [2, 4, 4, 4, 4, 6, 6]}, r"stage1.expansion=2.*\(1,\)"),
        ({**MODELS["a1"], "resolution": 225}, "225"),
    ],
)
def test_what_is_no_architecture_is_refused(model: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        zoo.attentivenas_arch(whole().space, model)


def test_other_spaces_are_told_apart() -> None:
    with pytest.raises(UsageError):
        zoo.attentivenas_arch(small().space, "a0")
    with pytest.raises(UsageError, match="no choice of that name"):
        zoo.attentivenas_arch(zoo.mbconv().space, "a0")
    for arch in (small().space.largest(), zoo.mbconv().space.smallest()):
        with pytest.raises(UsageError):
            zoo.attentivenas_config(arch)


def blocks(net: Supernet) -> list[list[ShortcutMBConv]]:
    return [list(stage) for stage in net.module.modules() if isinstance(stage, ElasticDepth)]  # type: ignore[arg-type]


def test_blocks_are_gated_where_the_code_gates_them() -> None:
    gated = [any(isinstance(layer, nn.Hardsigmoid) for layer in stage[0].modules()) for stage in blocks(whole())]
    assert gated == [False, False, True, False, True, True, True]
    kinds = {type(layer).__name__ for layer in blocks(whole())[2][0].modules()}
    assert {"SiLU", "ReLU", "Hardsigmoid"} <= kinds
    assert not kinds & {"Sigmoid", "Hardswish"}
    first = blocks(whole())[0][0]
    assert sum(isinstance(layer, nn.Conv2d) for layer in first.body.modules()) == 2, "a ratio of 1 expands nothing"


def test_kernel_and_width_are_those_of_the_stage() -> None:
    net = small()
    arch = net.space.arch({**net.space.largest(), "stage5.kernel": 3})
    sides = [m.kernel_size[0] for m in net.extract(arch).modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    depths = map(len, blocks(net))
    assert sides == [3 if stage == 5 else 5 for stage, depth in enumerate(depths, start=1) for _ in range(depth)]


def test_every_block_begins_as_its_shortcut_if_asked() -> None:
    for zero in (True, False):
        net = zoo.attentivenas(**TINY, image_size=8, num_classes=3, zero_gamma=zero)
        last = [
            [m for m in block.body.modules() if isinstance(m, nn.BatchNorm2d)][-1] for s in blocks(net) for block in s
        ]
        assert all((norm.weight == 0).all() for norm in last) is zero


def test_drop_path_grows_with_the_position_in_the_last_two_stages() -> None:
    found = [[[m.share for m in block.modules() if isinstance(m, DropPath)] for block in s] for s in blocks(whole())]
    assert sum(map(len, found)) == 37
    assert all(shares == [] for stage in found[:5] for shares in stage)
    assert found[5] == [[], *([n / 37] for n in range(28, 35))]  # the first of a stage changes the map
    assert found[6] == [[], [36 / 37]]


def test_the_head_pools_before_its_last_convolution() -> None:
    head = whole().module.head
    assert isinstance(head, nn.Sequential)
    assert [type(layer).__name__ for layer in head] == [
        "ElasticConv2d",
        "ElasticBatchNorm2d",
        "SiLU",
        "AdaptiveAvgPool2d",
        "ElasticConv2d",
        "SiLU",
        "Flatten",
        "Dropout",
        "ElasticLinear",
    ]
    subnet = whole().extract(whole().space.smallest())
    last = [m for m in subnet.modules() if isinstance(m, nn.Conv2d)][-2:]
    assert [(m.in_channels, m.out_channels, m.bias) for m in last] == [(216, 1296, None), (1296, 1792, None)]


def test_images_are_resized_bicubically_to_shares_of_their_side() -> None:
    (resize,) = (m for m in whole().modules() if isinstance(m, ElasticResolution))
    assert resize.mode == "bicubic"
    for side, sides in ((28, (24, 28, 32, 36)), (64, (54, 64, 74, 82)), (12, (10, 12, 14, 16))):
        net = zoo.attentivenas(**TINY, image_size=side, num_classes=3)
        assert net.space.choices[net.space.column("resolution")].options == sides


def test_a_small_one_costs_what_was_counted_and_its_subnets_compute_the_same() -> None:
    torch.manual_seed(0)
    net = zoo.attentivenas(
        width_multiplier=0.25,
        depth_multiplier=0.25,
        image_size=8,
        resolutions=(7, 8),
        num_classes=3,
        in_channels=1,
        zero_gamma=False,
    ).eval()
    assert "stage6.width" in net.space.names
    archs = archs_of(net, 1)
    costs_are_the_counted_ones(net, archs[1:])
    with torch.no_grad():
        for arch in archs[1:]:
            torch.testing.assert_close(net.extract(arch)(images(net)), net(images(net), arch), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_a_small_one_is_exported(tmp_path: Path) -> None:
    computes_the_same_in_onnx(small(), archs_of(small(), 3)[2], tmp_path)


@pytest.mark.slow
def test_a_published_model_is_exported(tmp_path: Path) -> None:
    net = zoo.attentivenas(image_size=65)
    given = {**MODELS["a1"], "resolution": 65}
    assert net.space.choices[net.space.column("resolution")].options == (56, 65, 74, 84)
    computes_the_same_in_onnx(net, zoo.attentivenas_arch(net.space, given), tmp_path)


def test_a_small_one_is_drawn_as_a_chain() -> None:
    net = small()
    drawn = [node.label for node in net.module.diagram(net.space.smallest()).nodes]  # type: ignore[operator]
    assert drawn[:4] == ["input", "conv 3×3", "MB1 k3", "MB4 k3"]
    assert drawn[-2:] == ["conv 1×1", "output"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width_multiplier": 0}, "width multiplier"),
        ({"depth_multiplier": -1}, "depth multiplier"),
        ({"strides": (2, 2)}, "give 8 of 1 or 2"),
        ({"resolutions": ()}, "distinct sides"),
        ({"resolutions": (16,)}, "reduce an image 32 times"),
        ({"dropout": 1.0}, "dropout"),
        ({"statistics": "mean"}, "'mean'"),
        ({"num_classes": 0}, "num_classes is 0"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        zoo.attentivenas(**options)
