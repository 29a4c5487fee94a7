"""MixPath's part of NAS-Bench-101 (Chu et al., ICCV 2023): a cell of which several nodes run at once."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import NormBank, OpChoice, Statistics, SubsetChoice, Supernet, batch_norm
from supernet.nn.diagram import Diagram, Edge, Node
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch, Choice, subsets
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.initialisation import fan_out_normal
from supernet.zoo.layers import classifier, conv_bn

PAPER = Paper(
    name="MixPath",
    title="MixPath: A Unified Approach for One-shot Neural Architecture Search",
    authors=("Chu", "Lu", "Li", "Zhang"),
    venue="ICCV",
    year=2023,
    arxiv="2001.05887",
    provenance="official code",
)

TINY: dict[str, Any] = {"channels": 16, "cells": 3}

OPS = ("conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3")
"""The operations of a node, by their names in NAS-Bench-101."""

NODES = 4
HALVED_AFTER = (2, 5)

SumNorm: TypeAlias = Literal["shadow", "one", "none"]


def mixpath_nasbench101(
    *,
    paths: int = 4,
    channels: int = 128,
    cells: int = 9,
    sum_norm: SumNorm = "shadow",
    statistics: Statistics = "track",
    num_classes: int = 10,
    in_channels: int = 3,
    image_size: int = 32,
) -> Supernet:
    """MixPath's cells of NAS-Bench-101: any of up to 4 nodes, each one of 3 operations; 255 cells, 34 different ones.

    Chu et al., ICCV 2023, [arXiv 2001.05887](https://arxiv.org/abs/2001.05887), on which it compares with the benchmark
    of Ying et al. ([arXiv 1902.09635](https://arxiv.org/abs/1902.09635)).

    The choice `"nodes"` is the set of nodes that run on the input of the cell and are summed, such as `(0, 2)`; node i
    has the operation `"node{i}"`. A 1 × 1 convolution follows the sum. All cells are alike; the networks halve the
    images behind the third and the sixth cell and double the channels in the next. `mixpath_nasbench101_spec` says what
    the benchmark is asked for.

    Args:
        paths: m, the number of nodes, from 2 to 4, all of which may run at once.
        channels: Width C of the first cells.
        cells: Number of cells, the first ones of the 9 published.
        sum_norm: The norm behind the convolution that follows the sum: `"shadow"`, a BatchNorm for each number of nodes
            (the paper); `"one"`, a BatchNorm for all; `"none"`, as the released code, which builds them and runs none.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: a size that cannot be, or an unknown norm.

    >>> mixpath_nasbench101(channels=4).space.size == 4**4 - 1
    True
    """
    check_at_least_one(
        channels=channels, cells=cells, num_classes=num_classes, in_channels=in_channels, image_size=image_size
    )
    check_statistics(statistics)
    if not 2 <= paths <= NODES or cells > 9:
        raise UsageError(
            f"paths={paths} in {cells} cells cannot be: there are 2 to {NODES} nodes, any of which run, and at most 9 "
            "cells."
        )
    if sum_norm not in get_args(SumNorm):
        raise UsageError(f"sum_norm={sum_norm!r} is unknown; use one of {get_args(SumNorm)}.")
    sets = subsets(range(paths))
    nodes = Choice("nodes", sets)
    ops = [Choice(f"node{i}", OPS, when=nodes.is_in([one for one in sets if i in one])) for i in range(paths)]
    network = Cells(
        nodes,
        ops,
        channels=channels,
        cells=cells,
        sum_norm=sum_norm,
        statistics=statistics,
        num_classes=num_classes,
        in_channels=in_channels,
    )
    fan_out_normal(network)
    return Supernet(network, input_shape=(in_channels, image_size, image_size))


def mixpath_nasbench101_spec(arch: Arch) -> tuple[list[list[int]], list[str]]:
    """What NAS-Bench-101 is asked for: the matrix of edges and the operations of the cell of an architecture.

    They are the arguments of its `ModelSpec(matrix, ops)`; nodes that do not run have no edge.

    >>> net = mixpath_nasbench101(channels=4, paths=2)
    >>> mixpath_nasbench101_spec(net.space.arch({"nodes": (1,), "node1": "maxpool3x3"}))[1]
    ['input', 'conv1x1-bn-relu', 'maxpool3x3', 'conv1x1-bn-relu', 'conv1x1-bn-relu', 'conv1x1-bn-relu', 'output']
    """
    running: Any = arch["nodes"]
    ops = ["input", *[OPS[0]] * (NODES + 1), "output"]
    matrix = [[0] * len(ops) for _ in ops]
    for node in running:
        ops[node + 1] = str(arch[f"node{node}"])
        matrix[0][node + 1] = matrix[node + 1][NODES + 1] = 1
    matrix[NODES + 1][NODES + 2] = 1
    return matrix, ops


class Cells(nn.Module):
    """Stem, cells, head: (B, C_in, H, W) -> (B, K)."""

    def __init__(
        self,
        nodes: Choice,
        ops: list[Choice],
        *,
        channels: int,
        cells: int,
        sum_norm: SumNorm,
        statistics: Statistics,
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        self.stem = _conv(in_channels, channels, 3, statistics)
        self.cells = nn.ModuleList()
        width = channels
        for number in range(cells):
            halved = number - 1 in HALVED_AFTER
            self.cells.append(Cell(nodes, ops, width, width * (1 + halved), sum_norm, statistics))
            width *= 1 + halved
        self.pool = nn.MaxPool2d(2)
        self.head = classifier([], width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for number, cell in enumerate(self.cells):
            x = cell(x)
            if number in HALVED_AFTER:
                x = self.pool(x)
        logits: Tensor = self.head(x)
        return logits

    def diagram(self, arch: Arch) -> Diagram:
        """The cell of an architecture."""
        running: Any = arch["nodes"]
        nodes = [Node(f"{node}", str(arch[f"node{node}"]), kind="node") for node in running]
        edges = [edge for node in running for edge in (Edge("input", f"{node}"), Edge(f"{node}", "sum"))]
        ends = Node("sum", OPS[0], kind="node"), Node("output", "output", kind="output")
        return Diagram((Node("input", "input", kind="input"), *nodes, *ends), (*edges, Edge("sum", "output")))


class Cell(nn.Module):
    """Nodes at once on one input, their sum, a 1 × 1 convolution: (B, c_in, H, W) -> (B, c_out, H, W)."""

    def __init__(
        self, nodes: Choice, ops: list[Choice], width_in: int, width_out: int, sum_norm: SumNorm, statistics: Statistics
    ) -> None:
        super().__init__()

        def node(op: Choice) -> OpChoice:
            entrance = [_conv(width_in, width_out, 1, statistics) for _ in OPS]
            bodies = [_conv(width_out, width_out, 1, statistics), _conv(width_out, width_out, 3, statistics)]
            parts = zip(OPS, entrance, [*bodies, nn.MaxPool2d(3, 1, padding=1)], strict=True)
            return OpChoice(op, {name: nn.Sequential(first, then) for name, first, then in parts})

        self.nodes = SubsetChoice(nodes, {number: node(op) for number, op in enumerate(ops)})
        self.project = nn.Conv2d(width_out, width_out, 1, bias=sum_norm == "none")
        self.norm: nn.Module = nn.Identity()
        if sum_norm == "shadow":
            self.norm = NormBank(width_out, nodes.map(len), statistics=statistics)
        elif sum_norm == "one":
            self.norm = batch_norm(width_out, statistics=statistics)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.relu(self.norm(self.project(self.nodes(x))))
        return out


def _conv(width_in: int, width_out: int, kernel: int, statistics: Statistics) -> nn.Sequential:
    def norm(width: int) -> nn.Module:
        return batch_norm(width, statistics=statistics)

    return nn.Sequential(*conv_bn(width_in, width_out, kernel, norm=norm, activation="relu"))
