"""A searched cell of DARTS as a block of fixed size, to stand beside others in a choice of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import InputChoice, Statistics
from supernet.nn.norm import check_statistics
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.cells.cell_edge import Edge
from supernet.zoo.cells.cell_ops import operation, relu_conv_bn
from supernet.zoo.cells.darts_genotype import Genotype, Pairs, read_genotype
from supernet.zoo.cells.darts_published import darts_published


def darts_cell(
    genotype: Genotype | str,
    width_in: int,
    width_out: int,
    *,
    stride: int = 1,
    affine: bool = True,
    pool_norm: bool | None = None,
    statistics: Statistics = "track",
) -> nn.Module:
    """A cell of a genotype as a block: (B, width_in, H, W) -> (B, width_out, ⌈H/stride⌉, ⌈W/stride⌉).

    It may be a candidate of an `OpChoice`, beside blocks of other kinds, or a layer of its own. At stride 1 it is the
    genotype's normal cell, at stride 2 its reduction cell. Both inputs of the cell are the input of the block, each
    through a 1 × 1 convolution of its own; every node has width_out / n channels, where n nodes are joined. Papers
    that search cells do not say how one stands in a chain of blocks: this is a reconstruction.

    Layers read the settings `drop_path` and `skip_dropout`, as in `zoo.darts`.

    Args:
        genotype: A `Genotype`, as `darts_genotype` makes it of a derived architecture; its text; or the name of
            published cells, such as `"PC_DARTS_CIFAR"`.
        width_in: Channels of the input.
        width_out: Channels of the output, a multiple of the number of nodes that the cell joins.
        stride: 1 or 2.
        affine: Whether BatchNorms learn scale and shift.
        pool_norm: Whether a BatchNorm follows poolings. Default: unless `affine`, as in `zoo.darts`.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.

    Raises:
        UsageError: a text that is no genotype, a cell whose nodes take other numbers of edges than two or all, an
            unknown operation, a width that the nodes do not divide, or another stride.

    >>> darts_cell("DARTS_V2", 8, 16, stride=2)(torch.ones(1, 8, 6, 6)).shape
    torch.Size([1, 16, 3, 3])
    """
    found = named_genotype(genotype)
    if stride not in (1, 2):
        raise UsageError(f"stride={stride!r}: give 1 for the normal cell of a genotype, or 2 for its reduction cell.")
    check_at_least_one(width_in=width_in, width_out=width_out)
    check_statistics(statistics)
    kind, pairs, joined = ("normal", *found[:2]) if stride == 1 else ("reduce", *found[2:])
    nodes = _nodes(kind, pairs, joined)
    if width_out % len(nodes):
        raise UsageError(
            f"width_out={width_out} is no multiple of the {len(nodes)} nodes that the {kind} cell joins. Give a "
            "multiple, so that every node has as many channels."
        )
    made: dict[str, Any] = {"affine": affine, "statistics": statistics}
    return _Block(nodes, width_in, width_out, stride, pool_norm=not affine if pool_norm is None else pool_norm, **made)


def named_genotype(given: Genotype | str) -> Genotype:
    """A genotype that is given itself, as its text, or by the name of published cells.

    Raises:
        UsageError: neither a genotype nor a name.
    """
    if isinstance(given, Genotype):
        return given
    if not isinstance(given, str):
        raise UsageError(
            f"{given!r} is no genotype. Give a Genotype, such as zoo.darts_genotype(arch), its text, or the name of "
            "published cells, such as 'PC_DARTS_CIFAR'."
        )
    return read_genotype(given) if "(" in given else darts_published(given).genotype


def _nodes(kind: str, pairs: Pairs, joined: Sequence[int]) -> list[Pairs]:
    """The edges of every node, both in the order of the network's cells."""
    count = len(joined)
    every = [*range(2, count + 2)]
    per_node = {2 * count: [2] * count, sum(every): every}.get(len(pairs), [])
    if not count or list(joined) != every or not per_node:
        raise UsageError(
            f"The {kind} cell of the genotype has {len(pairs)} edges and joins the nodes {list(joined)}. A block is "
            f"made of cells that join all their nodes, from 2 on, with two edges to each or all."
        )
    nodes, start = [], 0
    for node, edges in zip(every, per_node, strict=True):
        nodes.append(tuple(sorted(pairs[start : start + edges], key=lambda pair: pair[1])))
        start += edges
        sources = [source for _, source in nodes[-1]]
        if len(set(sources)) < edges or not set(sources) <= set(range(node)):
            raise UsageError(
                f"Node {node} of the {kind} cell takes its edges from {tuple(sources)}; it takes {edges} different "
                f"ones of 0 to {node - 1}."
            )
    return nodes


class _Block(nn.Module):
    """A cell of fixed operations, both inputs of which are one."""

    def __init__(
        self,
        nodes: Sequence[Pairs],
        width_in: int,
        width_out: int,
        stride: int,
        *,
        affine: bool,
        pool_norm: bool,
        statistics: Statistics,
    ) -> None:
        super().__init__()
        self.width_in, self.width_out, self.stride = width_in, width_out, stride
        width = width_out // len(nodes)
        norm: dict[str, Any] = {"affine": affine, "statistics": statistics}

        def edge(name: str, source: int) -> Edge:
            halves = stride if source < 2 else 1
            return Edge(operation(name, width, stride=halves, pool_norm=pool_norm, **norm))

        self.before, self.last = relu_conv_bn(width_in, width, **norm), relu_conv_bn(width_in, width, **norm)
        self.sources = tuple(tuple(source for _, source in pairs) for pairs in nodes)
        self.nodes = nn.ModuleList(InputChoice(None, [edge(*pair) for pair in pairs]) for pairs in nodes)

    def forward(self, x: Tensor) -> Tensor:
        states = [self.before(x), self.last(x)]
        for node, sources in zip(self.nodes, self.sources, strict=True):
            states.append(node([states[source] for source in sources]))
        return torch.cat(states[2:], dim=1)
