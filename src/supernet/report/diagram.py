"""Draw an architecture: a small graph description and its picture as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from supernet.errors import UsageError
from supernet.report.html import Html, tag
from supernet.report.layers import Item, longest_paths
from supernet.report.layout import Size, arrange
from supernet.report.shapes import box, box_widths, hue, line, pill, pill_size

Kind = Literal["op", "input", "output", "node"]

_PADDING = 9.0


@dataclass(frozen=True)
class Node:
    """A box: an operation, the input, the output, or a plain node of a cell (a sum of feature maps)."""

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
    """An arrow; ``label`` names the operation on it, where operations sit on edges."""

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
        for edge in self.edges:
            for end in (edge.source, edge.target):
                if end not in ids:
                    raise UsageError(
                        f"Diagram edge {edge.source!r} to {edge.target!r}: there is no node {end!r}. Add it first."
                    )
        if longest_paths(ids, [(edge.source, edge.target) for edge in self.edges]) is None:
            raise UsageError("The edges of the diagram form a cycle. Remove an edge that leads back.")

    def to_json(self) -> dict[str, list[dict[str, str]]]:
        """A JSON value from which `from_json` makes an equal diagram."""
        return {
            "nodes": [{"id": n.id, "label": n.label, "detail": n.detail, "kind": n.kind} for n in self.nodes],
            "edges": [{"source": e.source, "target": e.target, "label": e.label} for e in self.edges],
        }

    @classmethod
    def from_json(cls, value: object) -> Diagram:
        """The diagram described by ``value``.

        Raises:
            UsageError: ``value`` is not what `to_json` writes.
        """
        if not isinstance(value, Mapping):
            raise UsageError("A diagram is an object with the lists 'nodes' and 'edges'.")
        try:
            nodes = tuple(Node(**_texts(item)) for item in value["nodes"])
            edges = tuple(Edge(**_texts(item)) for item in value["edges"])
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"This is not a diagram: {error}. Write it with Diagram.to_json().") from error
        return cls(nodes, edges)


def _texts(item: Any) -> dict[str, Any]:
    fields = dict(item)
    for name, value in fields.items():
        if not isinstance(value, str):
            raise TypeError(f"{name!r} is {value!r}, a text is needed")
    return fields


def svg(diagram: Diagram, *, width: float = 900.0, title: str = "Architecture") -> str:
    """Draw a diagram from left to right; a long chain continues in further rows, in alternating direction.

    The picture stands alone; in the report its style sheet adapts the colours to a dark page.

    Args:
        diagram: the graph.
        width: the width in pixels to keep to, where the graph can be cut into rows.
        title: its name for people who do not see it.
    """
    sizes: dict[Item, Size] = {node.id: size for node, size in _sizes(diagram).items()}
    links: list[tuple[Item, Item]] = []
    for number, edge in enumerate(diagram.edges):
        if edge.label:  # the label is a box of its own in the layout: nothing can cover it
            sizes[number] = pill_size(edge.label)
            links += [(edge.source, number), (number, edge.target)]
        else:
            links.append((edge.source, edge.target))
    layout = arrange(sizes, links, width=width - 4)
    shapes: list[Html] = []
    routes = iter(layout.routes)
    for edge in diagram.edges:
        tone = hue(edge.label) if edge.label else None
        halves = [next(routes)] if not edge.label else [next(routes), next(routes)]
        shapes += [line(half, tone, arrow=half is halves[-1]) for half in halves]
    for number, edge in enumerate(diagram.edges):
        if edge.label:
            shapes.append(pill(edge.label, layout.centres[number], sizes[number]))
    for node in diagram.nodes:
        place = layout.centres[node.id], sizes[node.id]
        shapes.append(box(node.label, node.detail, *place, operation=node.kind == "op"))
    w, h = math.ceil(layout.width + 4), math.ceil(layout.height + 4)
    frame = {
        "xmlns": "http://www.w3.org/2000/svg",
        "class": "diagram",
        "viewBox": f"-2 -2 {w} {h}",
        "width": str(w),
        "height": str(h),
        "role": "img",
        "aria-label": title,
        "font-family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
        "text-anchor": "middle",
    }
    return tag("svg", frame, tag("title", None, title), tag("desc", None, _describe(diagram)), *shapes)


def _sizes(diagram: Diagram) -> dict[Node, Size]:
    """Boxes of one diagram share a width, so that a chain reads as a column of figures does."""
    widths = {node: max(box_widths(node.label, node.detail)) + 2 * _PADDING for node in diagram.nodes}
    shared = max((width for node, width in widths.items() if node.kind == "op"), default=0.0)
    sizes = {}
    for node, width in widths.items():
        height = 44.0 if node.detail else 30.0
        sizes[node] = (shared if node.kind == "op" else max(width, height), height)
    return sizes


def _describe(diagram: Diagram) -> str:
    names = {node.id: f"{node.label} {node.detail}".strip() for node in diagram.nodes}
    steps = (
        f"{names[e.source]} to {names[e.target]}" + (f" through {e.label}" if e.label else "") for e in diagram.edges
    )
    return "; ".join(steps) or "; ".join(names.values())
