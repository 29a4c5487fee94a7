"""The space of BigNAS: its size, its costs, and where it differs from that of AttentiveNAS."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from supernet import Supernet, zoo
from supernet.errors import UsageError
from supernet.nn import ElasticDepth
from supernet.zoo.elastic.bignas import TINY
from zoo_networks import archs_of, computes_the_same_in_onnx, costs_are_the_counted_ones, count_macs, count_params

MAX = {  # configs/eval.yaml of the re-implementation
    "resolution": 224,
    "width": [40, 24, 32, 48, 88, 128, 216, 352, 1408],
    "kernel_size": [3, 3, 5, 5, 5, 5, 5],
    "expand_ratio": [1, 6, 6, 6, 6, 6, 6],
    "depth": [2, 3, 3, 4, 6, 6, 2],
}


@cache
def whole() -> Supernet:
    return zoo.bignas()


def test_the_space_has_the_published_size() -> None:
    space = whole().space
    assert space.size == 235_929_600
    assert not [choice for choice in space.choices if choice.name.endswith("expansion")]
    kernels = {choice.name: choice.options for choice in space.choices if choice.name.endswith("kernel")}
    assert kernels == {f"stage{n}.kernel": (3, 5) for n in range(3, 8)}
    assert space.choices[space.column("resolution")].options == (192, 224, 288, 320)


@pytest.mark.parametrize(
    ("extreme", "resolution", "macs", "params"),
    # counted by a formula from the configuration of the re-implementation; squeeze and excitation counted
    [
        ("largest", 320, 1899.8, 19.26),
        pytest.param("largest", 224, 936.6, 19.26, marks=pytest.mark.slow),
        ("smallest", 192, 219.4, 5.60),
    ],
)
def test_costs_are_those_of_the_formula(extreme: str, resolution: int, macs: float, params: float) -> None:
    net = whole()
    arch = net.space.arch({**getattr(net.space, extreme)(), "resolution": resolution})
    subnet = net.extract(arch).eval().to("meta")
    counted = count_macs(subnet, torch.zeros(1, 3, 224, 224, device="meta"))
    assert (round(counted / 1e6, 1), round(count_params(subnet) / 1e6, 2)) == (macs, params)


def test_configurations_are_read_and_written() -> None:
    space = whole().space
    largest = zoo.bignas_arch(space, MAX)
    assert largest == space.arch({**space.largest(), "resolution": 224})
    for arch in [largest, *space.wrap(space.population(np.random.default_rng(0), 10))]:
        assert zoo.bignas_arch(space, zoo.bignas_config(arch)) == arch
    with pytest.raises(UsageError, match=r"stage2\.expansion=4"):
        zoo.bignas_arch(space, {**MAX, "expand_ratio": [1, 4, 6, 6, 6, 6, 6]})


def test_every_block_is_gated_and_the_head_has_a_norm() -> None:
    net = whole().module
    gates = [
        [any(isinstance(layer, nn.Hardsigmoid) for layer in block.modules()) for block in stage]
        for stage in net.modules()
        if isinstance(stage, ElasticDepth)
    ]
    assert sum(map(len, gates)) == 2 + 3 + 3 + 4 + 6 + 6 + 2
    assert all(map(all, gates))
    assert isinstance(net.head, nn.Sequential)
    assert [type(layer).__name__ for layer in net.head] == [
        "ElasticConv2d",
        "ElasticBatchNorm2d",
        "SiLU",
        "AdaptiveAvgPool2d",
        "Flatten",
        "Dropout",
        "ElasticLinear",
    ]


@cache
def small() -> Supernet:
    return zoo.bignas(**TINY, in_channels=1, image_size=8, resolutions=(7, 8), num_classes=3, statistics="track")


@pytest.mark.slow
def test_costs_of_a_small_one_are_the_counted_ones() -> None:
    costs_are_the_counted_ones(small(), archs_of(small(), 2))


@pytest.mark.slow
def test_a_small_one_is_exported(tmp_path: Path) -> None:
    computes_the_same_in_onnx(small(), archs_of(small(), 2)[2], tmp_path)
