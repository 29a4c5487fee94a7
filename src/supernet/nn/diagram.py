"""What a network looks like, as data: a small graph that the report draws."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal, get_args

import msgspec

from supernet.errors import UsageError

Kind = Literal["op", "input", "output", "node"]


@dataclass(frozen=True)
class Node:
    """A box of the drawing.

    Attributes:
        id: The name that edges refer to.
        label: What the box says, such as `MB6 k5`.
        detail: A second line in small print, such as `24→40, 14×14`.
        kind: An operation, the input, the output, or a plain node of a cell, which sums feature maps.

    Raises:
        UsageError: the kind is unknown.
    """

    id: str
    label: str
    detail: str = ""
    kind: Kind = "op"

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            allowed = ", ".join(get_args(Kind))
            raise UsageError(f"Diagram node {self.id!r} has the kind {self.kind!r}. Use one of: {allowed}.")


@dataclass(frozen=True)
class Edge:
    """An arrow of the drawing; `label` names the operation on it, where operations sit on edges."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True)
class Diagram:
    """A directed graph without cycles.

    Raises:
        UsageError: no node, a node id twice, an edge to or from an unknown node, or a cycle.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        ids = [node.id for node in self.nodes]
        if not ids:
            raise UsageError("A diagram needs at least one node.")
        if twice := sorted({i for i in ids if ids.count(i) > 1}):
            raise UsageError(f"Diagram node id {twice[0]!r} is used twice. Give every node its own id.")
        order: TopologicalSorter[str] = TopologicalSorter()
        for edge in self.edges:
            for end in (edge.source, edge.target):
                if end not in ids:
                    raise UsageError(
                        f"Diagram edge {edge.source!r} to {edge.target!r}: there is no node {end!r}. Add it first."
                    )
            order.add(edge.target, edge.source)
        try:
            order.prepare()
        except CycleError as error:
            raise UsageError("The edges of the diagram form a cycle. Remove an edge that leads back.") from error

    def to_json(self) -> dict[str, list[dict[str, str]]]:
        """A JSON value from which `from_json` makes an equal diagram."""
        value: dict[str, list[dict[str, str]]] = msgspec.to_builtins(self)
        return value

    @classmethod
    def from_json(cls, value: Any) -> Diagram:
        """The diagram described by a JSON value.

        Raises:
            UsageError: the value is not what `to_json` writes.
        """
        try:
            return msgspec.convert(value, cls)
        except msgspec.ValidationError as error:
            raise UsageError(f"This is not a diagram: {error}. Write it with Diagram.to_json().") from error
