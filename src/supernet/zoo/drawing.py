"""Pictures of networks that are a chain of blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, TypeAlias, runtime_checkable

from supernet.nn.diagram import Diagram, Edge, Node
from supernet.space import Expr

Value: TypeAlias = Callable[[Expr | int], int]
"""The value of a size in the network that is drawn."""


@dataclass(frozen=True)
class Block:
    """One block of a chain.

    Attributes:
        label: What it is, such as `MB6 k5`.
        width_in: Channels of its input.
        width_out: Channels of its output.
        stride: Spatial reduction.
    """

    label: str
    width_in: int
    width_out: int
    stride: int = 1


@runtime_checkable
class Drawn(Protocol):
    """A block of a network that says how it is drawn."""

    def drawn(self, value: Value) -> Block:
        """The block, with the values that its sizes have."""
        ...


def chain(blocks: Iterable[Block], *, size: int | None = None) -> Diagram:
    """The blocks one after the other between input and output.

    Args:
        blocks: The blocks.
        size: Side of the image that enters the first block, in pixels; None where it is not known.
    """
    nodes = [Node("input", "input", "" if size is None else f"{size}×{size}", kind="input")]
    for number, block in enumerate(blocks, start=1):
        detail = f"{block.width_in}→{block.width_out}"
        if size is not None:
            size = -(-size // block.stride)
            detail += f", {size}×{size}"
        elif block.stride > 1:
            detail += f", stride {block.stride}"
        nodes.append(Node(f"block{number}", block.label, detail))
    nodes.append(Node("output", "output", kind="output"))
    edges = (Edge(before.id, after.id) for before, after in pairwise(nodes))
    return Diagram(tuple(nodes), tuple(edges))
