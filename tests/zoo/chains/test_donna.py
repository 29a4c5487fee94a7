"""DONNA's space: how many blocks there are, what they cost, that each has weights of its own, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from supernet import measure, zoo
from supernet.errors import UsageError
from supernet.nn import OpChoice
from supernet.nn.stage_modules import stage_choices, stage_shapes
from supernet.zoo.chains.donna import _kinds
from zoo_networks import archs_of, count_macs, count_params


def tiny(**options: Any) -> Any:
    return zoo.donna(**({"variant": "tiny", "num_classes": 3, "in_channels": 1, "image_size": 8} | options))


def test_a_block_has_384_kinds_and_the_published_widths_stand_behind_them() -> None:
    one = {"kernels": (3,), "expansions": (2,), "depths": (1,), "cells": ("depthwise",)}
    net = zoo.donna(**one, activations=("relu",), attentions=("none",))  # type: ignore[arg-type]
    assert stage_shapes(net) == ((24, 56, 56), (40, 28, 28), (80, 14, 14), (112, 14, 14), (160, 7, 7))
    assert stage_choices(net) == tuple((f"block{n}",) for n in range(1, 6))
    full = _kinds(
        kernels=(3, 5, 7),
        expansions=(2, 3, 4, 6),
        depths=(1, 2, 3, 4),
        activations=("relu", "swish"),
        cells=("depthwise", "grouped"),
        attentions=("none", "se"),
    )
    assert len({kind.name for kind in full}) == 384


def test_the_extremes_are_the_cheapest_and_the_dearest() -> None:
    space = tiny().space
    assert str(space.smallest()["block1"]) == "D1_MB2_K3_RELU"
    assert str(space.largest()["block1"]) == "D2_GB2_K5_SWISH_SE"
    net = tiny(activations=("relu",), attentions=("none",))
    costs = [measure.macs(net, arch) for arch in archs_of(net, 6)]
    assert measure.macs(net, net.space.smallest()) <= min(costs) < max(costs) <= measure.macs(net, net.space.largest())


def test_layers_have_the_sizes_that_the_name_says() -> None:
    net = tiny(group_width=4)
    plain, dear = "D1_MB2_K3_RELU", "D2_GB2_K5_SWISH_SE"
    subnet: Any = net.extract(net.space.arch({"block1": plain, "block2": dear, "block3": plain}))
    convolutions = [m for m in subnet.stages[1].modules() if isinstance(m, torch.nn.Conv2d)]
    found = [(c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0], c.groups) for c in convolutions]
    gates = [(16, 8, 1, 1, 1), (8, 16, 1, 1, 1)], [(32, 8, 1, 1, 1), (8, 32, 1, 1, 1)]
    stride = subnet.stages[1][0].body[3].stride[0]
    assert found == [
        *((8, 16, 1, 1, 1), (16, 16, 5, stride, 4), *gates[0], (16, 16, 1, 1, 1)),
        *((16, 32, 1, 1, 1), (32, 32, 5, 1, 8), *gates[1], (32, 16, 1, 1, 1)),
    ]
    kinds = {type(m).__name__ for m in subnet.stages[1].modules()}
    assert "SiLU" in kinds
    assert "ReLU" not in kinds
    assert "ReLU" in {type(m).__name__ for m in subnet.stages[0].modules()}


def test_costs_are_the_counted_ones_and_no_two_options_share_a_weight() -> None:
    net = tiny(kernels=(3,), activations=("relu",), depths=(2,))
    for arch in archs_of(net, 3):
        subnet = net.extract(arch).eval()
        assert measure.macs(net, arch) == count_macs(subnet, torch.zeros(1, 1, 8, 8))
        assert measure.params(net, arch) == count_params(subnet)
    (first, *_) = [module for module in net.modules() if isinstance(module, OpChoice)]
    owned = [{id(p) for p in candidate.parameters()} for candidate in first.candidates.values()]
    assert len(set.union(*owned)) == sum(map(len, owned))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"variant": "small"}, "does not exist"),
        ({"kernels": (4,)}, "give odd ones"),
        ({"expansions": (1, 2)}, "of 2 or more"),
        ({"depths": ()}, "at least one number"),
        ({"depths": (2, 2)}, "each once"),
        ({"cells": ("dense",)}, "one or more of"),
        ({"attentions": ()}, "one or more of"),
        ({"widths": (8, 16)}, "give 3 widths"),
        ({"widths": (8, 16, 20)}, "which groups divide"),
        ({"group_width": 3}, "which groups divide"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        tiny(**options)
