"""MixPath's cells of NAS-Bench-101: how many there are, what they compute, what the benchmark is asked for."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from small_nets import step
from supernet import Arch, Supernet, zoo
from supernet.errors import UsageError
from supernet.nn import NormBank
from supernet.nn.laws import LAWS, Law
from supernet.train import UniformSizes
from supernet.zoo.macro.mixpath_nasbench101 import OPS
from zoo_networks import archs_of, costs_are_the_counted_ones, count_params, images


def tiny(**options: Any) -> Supernet:
    torch.manual_seed(0)
    settings = {"channels": 4, "cells": 4, "num_classes": 3, "image_size": 8}
    return zoo.mixpath_nasbench101(**settings | options)


@pytest.mark.parametrize(("paths", "cells", "different"), [(2, 15, 9), (3, 63, 19), (4, 255, 34)])
def test_the_number_of_cells_and_of_different_ones(paths: int, cells: int, different: int) -> None:
    """Nodes are alike: two cells with the same number of each operation are one cell of the benchmark."""
    space = tiny(paths=paths, cells=1).space
    archs = list(space.enumerate())
    assert len(archs) == space.size == cells
    kinds = {tuple(sorted(Counter(op for op in arch.options().values() if op in OPS).items())) for arch in archs}
    assert len(kinds) == different


@pytest.mark.parametrize("norm", ["shadow", "one", "none"])
def test_the_network_has_the_released_parameters(norm: str) -> None:
    """The released code with its convolution's bias and without the norms that it never runs; or with norms instead."""
    with torch.device("meta"):
        net = zoo.mixpath_nasbench101(sum_norm=norm)  # type: ignore[arg-type]
    total, width = 3 * 128 * 9 + 2 * 128, 128
    for cell in range(9):
        before, width = width, width * (2 if cell in (3, 6) else 1)
        entrance = before * width + 2 * width
        total += 4 * (3 * entrance + width * width + 9 * width * width + 2 * 2 * width)
        total += width * width + {"none": width, "one": 2 * width, "shadow": 8 * width}[norm]
    assert count_params(net) == total + 512 * 10 + 10


def written(net: Supernet, arch: Arch, x: Tensor) -> Tensor:
    """The released `Cell.forward`, with the norm of the number of nodes."""
    module: Any = net.module
    x = module.stem(x)
    running: Any = arch["nodes"]
    for number, cell in enumerate(module.cells):
        total = sum(cell.nodes.members[str(n)].candidates[arch[f"node{n}"].replace(".", "")](x) for n in running)
        out = cell.project(total)
        if isinstance(cell.norm, NormBank):
            out = cell.norm.banks[str(len(running))](out)
        x = out.relu()
        if number in (2, 5):
            x = nn.functional.max_pool2d(x, 2)
    return module.head(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize("norm", ["shadow", "none"])
def test_nodes_are_summed_and_the_norm_is_that_of_their_number(norm: str) -> None:
    net = tiny(sum_norm=norm).eval()
    for place, bank in enumerate(layer for layer in net.modules() if isinstance(layer, NormBank)):
        for count, one in enumerate(bank.banks.values()):
            nn.init.constant_(one.bias, 0.1 * count + place)  # type: ignore[arg-type]
    for arch in archs_of(net, 6):
        torch.testing.assert_close(net(images(net), arch), written(net, arch, images(net)))


@pytest.mark.parametrize("law", LAWS)
def test_networks_keep_the_laws(law: Law) -> None:
    net = tiny(paths=2, cells=1, channels=2)
    law(net, lambda arch: images(net, 3))


def test_costs_are_the_counted_ones() -> None:
    net = tiny()
    costs_are_the_counted_ones(net, archs_of(net, 4))


def test_what_the_benchmark_is_asked_for() -> None:
    net = tiny()
    arch = net.space.arch({"nodes": (0, 3), "node0": "maxpool3x3", "node3": "conv3x3-bn-relu"})
    matrix, ops = zoo.mixpath_nasbench101_spec(arch)
    assert ops == ["input", "maxpool3x3", OPS[0], OPS[0], "conv3x3-bn-relu", OPS[0], "output"]
    edges = {(i, j) for i, row in enumerate(matrix) for j, edge in enumerate(row) if edge}
    assert edges == {(0, 1), (1, 5), (0, 4), (4, 5), (5, 6)}


def test_the_rule_of_the_method_draws_in_it() -> None:
    drawn = UniformSizes(2000).paths(step(tiny(cells=1)))
    sizes = Counter(len(arch["nodes"]) for arch in drawn)  # type: ignore[arg-type]
    assert all(abs(sizes[size] - 500) < 100 for size in range(1, 5))


def test_a_picture_shows_the_cell() -> None:
    net = tiny()
    arch = net.space.arch({"nodes": (1, 2), "node1": OPS[1], "node2": OPS[2]})
    edges = {(edge.source, edge.target) for edge in net.module.diagram(arch).edges}  # type: ignore[operator]
    assert edges == {("input", "1"), ("input", "2"), ("1", "sum"), ("2", "sum"), ("sum", "output")}


@pytest.mark.parametrize("options", [{"paths": 1}, {"paths": 5}, {"cells": 10}, {"channels": 0}, {"sum_norm": "layer"}])
def test_what_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        tiny(**options)
