"""The operations whose weight is not zero (ISTA-NAS, SparseNAS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.space.restriction import Restriction
from supernet.train.context import Context
from supernet.train.parametrisations._node_operations import NodeOperations, nodes_of_operations


@runtime_checkable
class SelectsOperations(Protocol):
    """A part that says which operations feed each node."""

    @property
    def nodes(self) -> tuple[NodeOperations, ...]: ...

    def strengths(self, restriction: Restriction) -> dict[str, Tensor]:
        """The strengths (N,) of what may feed a node, by its name; exactly 0 for what does not."""
        ...


@dataclass(frozen=True)
class NonZero:
    """Every operation that has a weight other than 0, and the edges with at least one.

    Where an edge runs one operation, it is the one with the largest weight. What a node cannot do without, such as one
    edge at least, the part has to leave it.

    Args:
        part: The part of the recipe that says so.
    """

    part: str = "architecture"

    def check(self, net: Supernet) -> None:
        nodes_of_operations(net, "Deriving what is not zero")

    def derive(self, context: Context) -> Arch:
        """The architecture.

        Raises:
            UsageError: the recipe has no such part, or it leaves a node what the space does not hold, such as no edge.
        """
        found: Any = context.parts.get(self.part)
        if not isinstance(found, SelectsOperations):
            raise UsageError(
                f"What is not zero was to be read off the part {self.part!r}, which selects no operations: "
                f"{type(found).__name__}. Give the recipe a part such as SparseCodePerNode()."
            )
        strengths, options = found.strengths(context.restriction), dict[str, Any]()
        for node in found.nodes:
            values = strengths[node.name].tolist()
            allowed = [value != 0 for value in values]
            options |= node.options(node.strongest(values, len(values), allowed))
        return context.net.space.arch(options)
