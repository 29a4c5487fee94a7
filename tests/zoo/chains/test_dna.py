"""DNA's space: the published networks, its cells, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from supernet import measure, zoo
from supernet.errors import UsageError
from supernet.nn.stage_modules import stage_choices, stage_shapes
from supernet.space import Arch
from supernet.zoo.chains.dna import dna_blocks
from zoo_networks import count_macs, count_params

PUBLISHED = {  # layers and widths, kernel and expansion of each block by stage, and what a counter of its own gives
    "a": (((3, 24), (4, 40), (4, 80), (4, 96), (5, 160), (1, 320)), 335_141_728, 4_206_150, 4_243_318),
    "b": (((3, 24), (3, 40), (4, 80), (4, 96), (5, 192), (1, 320)), 392_492_032, 4_878_276, 4_918_180),
    "c": (((2, 24), (4, 40), (4, 80), (4, 112), (4, 192), (1, 320)), 450_138_976, 5_228_456, 5_273_896),
    "d": (((3, 24), (4, 40), (4, 80), (4, 112), (5, 192), (1, 320)), 592_837_792, 6_354_782, 6_409_486),
}
BLOCKS = {
    "a": "53 33 36|33 33 53 36|76 33 53 36|56 53 53 56|56 53 53 53 56|36",
    "b": "33 53 76|76 53 76|56 53 53 36|56 53 53 56|76 53 53 53 76|36",
    "c": "56 36|56 56 36 56|56 36 56 56|36 56 56 53|56 53 56 56|36",
    "d": "76 56 76|76 76 76 76|76 56 56 76|76 56 76 56|76 56 56 56 76|36",
}
MILLIONS = {"a": (4.206, 4.243), "b": (4.878, 4.918), "c": (5.228, 5.274), "d": (6.355, 6.409)}


def published(name: str) -> tuple[Any, Arch]:
    net = zoo.dna(cells=[[cell] for cell in PUBLISHED[name][0]])
    ops = [f"MB{block[1]}_K{block[0]}" for stage in BLOCKS[name].split("|") for block in stage.split()]
    return net, net.space.arch(dict(zip(net.space.names, ops, strict=True)))


@pytest.mark.parametrize("name", ["a", *(pytest.param(name, marks=pytest.mark.slow) for name in "bcd")])
def test_the_published_networks_cost_what_the_released_code_s_do(name: str) -> None:
    net, arch = published(name)
    _, macs, plain, params = PUBLISHED[name]
    assert measure.macs(net, arch) == macs
    assert (measure.params(net, arch, norm=False), measure.params(net, arch)) == (plain, params)
    assert (round(plain / 1e6, 3), round(params / 1e6, 3)) == MILLIONS[name]
    assert [len(stage) for stage in dna_blocks(arch)] == [layers for layers, _ in PUBLISHED[name][0]]


def test_an_independent_counter_agrees() -> None:
    net, arch = published("a")
    subnet = net.extract(arch).eval()
    assert count_macs(subnet, torch.zeros(1, 3, 224, 224)) == PUBLISHED["a"][1]
    assert count_params(subnet) == PUBLISHED["a"][3]


@pytest.mark.parametrize(
    ("options", "size", "layers"),
    [
        ({}, 6**19, (2, 4, 4, 4, 4, 1)),
        ({"variant": "crsupernet"}, 6**18, (2, 2, 2, 4, 6, 2)),
        ({"fixed_last": True}, 6**18, (2, 4, 4, 4, 4)),
        (
            {"variant": "cells"},
            (6**2 + 6**3) * (6**3 + 6**4) * 6**4 * 2 * 6**4 * (6**4 + 2 * 6**5) * 6,
            (6, 8, 4, 9, 15, 1),
        ),
    ],
)
def test_sizes(options: dict[str, Any], size: int, layers: tuple[int, ...]) -> None:
    net = zoo.dna(num_classes=10, image_size=32, width_multiplier=0.25, **options)
    assert net.space.size == size
    assert tuple(map(len, stage_choices(net))) == layers


def test_every_published_network_is_in_the_space_of_cells() -> None:
    """DNA-a's and -b's stages are cells of it, though not all of one width."""
    net = zoo.dna(variant="cells", image_size=32, num_classes=10)
    for cells, *_ in PUBLISHED.values():
        for number, (layers, width) in enumerate(cells, start=1):
            name = f"stage{number}.cell"
            assert name not in net.space.names or f"{layers}x{width}" in net.space.allowed(name)


def test_stages_end_as_the_teacher_s_do() -> None:
    net = zoo.dna(ends="teacher", image_size=64)
    assert stage_shapes(net) == ((48, 32, 32), (80, 16, 16), (160, 8, 8), (224, 8, 8), (384, 4, 4), (640, 4, 4))
    own = zoo.dna(variant="tiny", ends=(10, 12, 14), image_size=28, in_channels=1)
    assert [shape[0] for shape in stage_shapes(own)] == [10, 12, 14]
    released = zoo.dna(ends="teacher")
    assert released.module.stages[0][0].candidates["MB6_K3"].width_out == 24
    assert released.module.stages[0][1].candidates["MB6_K3"].width_out == 48


@pytest.mark.parametrize("side", [8, 28, 64])
def test_tiny_runs_on_small_images(side: int) -> None:
    net = zoo.dna(variant="tiny", num_classes=10, in_channels=1, image_size=side, width_multiplier=0.5).eval()
    assert net.space.size == (6 + 36) * 36 * 6
    with torch.no_grad():
        for arch in (net.space.smallest(), net.space.largest()):
            assert net(torch.zeros(2, 1, side, side), arch).shape == (2, 10)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"variant": "b7"}, "The variant 'b7' does not exist; use one of"),
        ({"ends": "b7"}, "The stages end in 'b7' widths; give 'published'"),
        ({"ends": "teacher", "variant": "tiny"}, "'teacher' where there are 6 stages"),
        ({"ends": (8, 8)}, r"The stages end in the widths \(8, 8\); give 6"),
        ({"cells": [[]]}, "The cells of a stage are"),
        ({"cells": [[(2, 8), (2, 8)]]}, "give one or more different ones"),
        ({"cells": [[(0, 8)]]}, "layers is 0"),
        ({"cells": [[(1, 8)]] * 7}, "7 stages were given; there are 1 to 6"),
        ({"cells": []}, "0 stages were given"),
        ({"dropout": 1.0}, "The dropout is"),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        zoo.dna(**options)
