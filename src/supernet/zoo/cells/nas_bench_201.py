"""NAS-Bench-201 (Dong & Yang, ICLR 2020): one cell of six edges, repeated; 15,625 architectures."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import AvgPool3x3, InputChoice, OpChoice, Statistics, Supernet, Zero, batch_norm
from supernet.nn.diagram import Diagram, Edge, Node
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch, Choice
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.cells.cell_edge import Edge as DartsEdge
from supernet.zoo.cells.cell_edge import PartialChannels
from supernet.zoo.cells.cell_ops import convolution

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = tuple(f"{target}<-{source}" for target in range(1, 4) for source in range(target))
_SMALLEST_FIRST = ("none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3")
_LABELS = {
    "skip_connect": "skip",
    "nor_conv_1x1": "conv 1×1",
    "nor_conv_3x3": "conv 3×3",
    "avg_pool_3x3": "avg pool 3×3",
}


PAPER = Paper(
    name="NAS-Bench-201",
    title="NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search",
    authors=("Dong", "Yang"),
    venue="ICLR",
    year=2020,
    arxiv="2001.00326",
    provenance="official code",
)

TINY: dict[str, Any] = {"channels": 8, "cells": 1}


def nasbench201(
    *,
    channels: int = 16,
    cells: int = 5,
    num_classes: int = 10,
    in_channels: int = 3,
    partial: int = 1,
    affine: bool = False,
    fixed_affine: bool = True,
    aux_skip: bool = False,
    statistics: Statistics = "batch",
) -> Supernet:
    """NAS-Bench-201: a cell of 4 nodes and 6 edges with 5 operations each; 15,625 architectures.

    Dong and Yang, ICLR 2020, [arXiv 2001.00326](https://arxiv.org/abs/2001.00326).

    The six choices `"1<-0"`, `"2<-0"`, `"2<-1"`, `"3<-0"`, `"3<-1"`, `"3<-2"` (target<-source) are shared by all
    cells. Decisions may also hold `EdgeWeights` of the nodes `"1"`, `"2"` and `"3"`. Weights start from PyTorch's
    default initialisation, as in the benchmark.

    Args:
        channels: Width C of the first stage; the next two have 2C and 4C.
        cells: Number N of cells per stage. C = 16 and N = 5 are the benchmark's.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        partial: K of partial channels (PC-DARTS, [arXiv 1907.05737](https://arxiv.org/abs/1907.05737)): operations run
            on the first C/K of the channels, the others pass by. A search of DrNAS begins with 4.
        affine: Whether BatchNorms of the candidates learn scale and shift. The benchmark searches without and trains
            its architectures with.
        fixed_affine: Whether the BatchNorms of the fixed layers (stem, reductions, head) learn them, as in the
            benchmark's searches. The released supernets of DYNAS have none at all.
        aux_skip: Whether a skip connection stands beside the operations of every edge, with the weight of the setting
            `aux_skip` (DARTS-, [arXiv 2009.01027](https://arxiv.org/abs/2009.01027)), and drop-path with the rate of
            the setting `drop_path`. Both are 0 unless a training sets them, see `Supernet.active`.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: a size below 1, channels that `partial` does not divide, or an unknown statistics policy.
    """
    sizes = {"channels": channels, "cells": cells, "num_classes": num_classes, "in_channels": in_channels}
    check_at_least_one(**sizes, partial=partial)
    if channels % partial:
        raise UsageError(f"channels={channels} is no multiple of partial={partial}. Give a multiple.")
    check_statistics(statistics)
    choices = tuple(Choice(edge, OPS, order=_SMALLEST_FIRST) for edge in EDGES)
    norm: dict[str, Any] = {"affine": affine, "aux_skip": aux_skip, "statistics": statistics}
    layers: list[nn.Module] = []
    for width in (channels, 2 * channels, 4 * channels):
        if layers:
            layers.append(ReductionBlock(width // 2, width, affine=fixed_affine, statistics=statistics))
        layers += [
            Cell(choices, width, partial=partial, name=f"layers.{len(layers) + cell}.partial", **norm)
            for cell in range(cells)
        ]
    stem = nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, padding=1, bias=False),
        batch_norm(channels, affine=fixed_affine, statistics=statistics),
    )
    head = nn.Sequential(
        batch_norm(4 * channels, affine=fixed_affine, statistics=statistics),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * channels, num_classes),
    )
    return Supernet(NasBench201(stem, layers, head), input_shape=(in_channels, 32, 32))


class NasBench201(nn.Module):
    """Stem, three stages of cells with reductions between them, head: (B, C_in, H, W) -> (B, K)."""

    def __init__(self, stem: nn.Module, layers: list[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.stem, self.layers, self.head = stem, nn.Sequential(*layers), head

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.layers(self.stem(x)))
        return out

    def diagram(self, arch: Arch) -> Diagram:
        """The cell of an architecture; edges without an operation are left out."""
        nodes = (
            Node("0", "input", kind="input"),
            Node("1", "1", kind="node"),
            Node("2", "2", kind="node"),
            Node("3", "output", kind="output"),
        )
        edges = []
        for name in EDGES:
            target, _, source = name.partition("<-")
            if (op := arch[name]) != "none":
                edges.append(Edge(source, target, _LABELS[str(op)]))
        return Diagram(nodes, tuple(edges))


class Cell(nn.Module):
    """Node 0 is the input; every later node sums its edges from all earlier ones: (B, C, H, W) -> (B, C, H, W).

    Edges that contribute nothing are not run. A node that nothing reaches is zero.
    """

    def __init__(
        self,
        choices: tuple[Choice, ...],
        width: int,
        *,
        affine: bool,
        aux_skip: bool,
        statistics: Statistics,
        partial: int = 1,
        name: str | None = None,
    ) -> None:
        super().__init__()

        def block(choice: Choice, channels: int) -> nn.Module:
            return OpChoice(choice, _candidates(channels, affine=affine, statistics=statistics))

        ops = [
            block(choice, width)
            if partial == 1
            else PartialChannels(functools.partial(block, choice), width, partial, stride=1, name=name)
            for choice in choices
        ]
        self.edges = nn.ModuleList([DartsEdge(op, nn.Identity()) for op in ops] if aux_skip else ops)
        edges = iter(self.edges)
        self.nodes = nn.ModuleList(
            InputChoice(None, [next(edges) for _ in range(node)], name=str(node), registered=False)
            for node in range(1, 4)
        )

    def forward(self, x: Tensor) -> Tensor:
        states = [x]
        for node in self.nodes:
            states.append(torch.zeros_like(x) if getattr(node, "is_zero", False) else node(states))
        return states[-1]


def _candidates(width: int, *, affine: bool, statistics: Statistics) -> dict[str, nn.Module]:
    return {
        "none": Zero(),
        "skip_connect": nn.Identity(),
        "nor_conv_1x1": relu_conv_bn(width, width, 1, affine=affine, statistics=statistics),
        "nor_conv_3x3": relu_conv_bn(width, width, 3, affine=affine, statistics=statistics),
        "avg_pool_3x3": AvgPool3x3(),
    }


class ReductionBlock(nn.Module):
    """The fixed residual block between stages: (B, C, H, W) -> (B, C', ⌈H/2⌉, ⌈W/2⌉)."""

    def __init__(self, width_in: int, width_out: int, *, affine: bool, statistics: Statistics) -> None:
        super().__init__()
        self.body = nn.Sequential(
            relu_conv_bn(width_in, width_out, 3, stride=2, affine=affine, statistics=statistics),
            relu_conv_bn(width_out, width_out, 3, affine=affine, statistics=statistics),
        )
        # The benchmark's images have even sides, where ceil_mode changes nothing; with it odd sides work too.
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(width_in, width_out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shortcut(x) + self.body(x)
        return out


def relu_conv_bn(
    width_in: int, width_out: int, kernel: int, *, stride: int = 1, affine: bool, statistics: Statistics
) -> nn.Sequential:
    """The benchmark's convolution: ReLU, convolution without bias, BatchNorm."""
    return nn.Sequential(
        nn.ReLU(),
        convolution(width_in, width_out, kernel, stride=stride),
        batch_norm(width_out, affine=affine, statistics=statistics),
    )
