"""Where the boxes and arrows of a drawn architecture stand; the template and the style sheet do the rest."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from itertools import pairwise
from statistics import fmean
from typing import Literal

import numpy as np

from supernet.nn.diagram import Diagram, Node

HUES = (0, 18, 33, 46, 62, 86, 130, 160, 180, 198, 214, 234, 258, 284, 308, 334)
_SALT = "37038"  # keeps the operations of the published spaces apart
_QUIET = {"skip", "identity", "skipconnect", "skipconnection", "none", "zero"}
_COLUMN, _ROW = 132.0, 46.0  # pixels from layer to layer, and from box to box within one
_REACH, _HALF, _HEAD = 52.0, 17.0, 6.0  # pixels: half a wide box, half a round one, the head of an arrow
_SWEEPS = 8


def hue(label: str) -> int | None:
    """The colour of an operation, in degrees; the same in every drawing. None for skips, which stay grey."""
    name = "".join(label.lower().replace("×", "x").split()).replace("_", "").replace("-", "")
    if name in _QUIET:
        return None
    digest = hashlib.sha256((_SALT + name).encode()).digest()
    return HUES[int.from_bytes(digest[:4], "big") % len(HUES)]


@dataclass(frozen=True)
class Box:
    """A box of the drawing.

    Attributes:
        label: First line of the text in the box.
        detail: Its second line, in small print.
        kind: An operation in a box or on an edge, or an end or a node, which are round.
        x: Centre, pixels from the left; only in a graph.
        y: Centre, pixels from the top; only in a graph.
    """

    label: str
    detail: str
    kind: Literal["op", "edge", "end"]
    x: float = 0.0
    y: float = 0.0

    @property
    def hue(self) -> int | None:
        """The colour of its operation."""
        return None if self.kind == "end" else hue(self.label)

    @property
    def half(self) -> float:
        """Half its width in a graph, pixels."""
        letters = max(len(self.label), 0.85 * len(self.detail))
        return _REACH if self.kind != "end" else min(_REACH, max(_HALF, 4.4 * letters + 9))


@dataclass(frozen=True)
class Arrow:
    """A curve, as an SVG path, in the colour of the operation on it; `tip` is where its head ends, if it has one."""

    path: str
    hue: int | None
    tip: tuple[float, float] | None


@dataclass(frozen=True)
class Drawing:
    """A picture of an architecture: boxes in rows that wrap (a chain), or boxes and arrows in place (a graph).

    Attributes:
        title: Its name for people who do not see it.
        boxes: The boxes in the order in which data pass them.
        arrows: The arrows of a graph; in a chain every box leads to the next, and there are none.
        size: Width and height of a graph, pixels; None for a chain.
    """

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...] = ()
    size: tuple[float, float] | None = None


def draw(diagram: Diagram, title: str) -> Drawing:
    """Lay a diagram out.

    A chain wraps like text. Any other graph stands in layers by longest path: operations on edges become boxes
    between the layers of their ends, edges that pass a layer get an invisible place in it, each layer is sorted by
    the mean place of its neighbours, and its boxes are drawn to it (Sugiyama, Tagawa & Toda, 1981).
    """
    steps = [(edge.source, edge.target, edge.label) for edge in diagram.edges]
    if steps == [(before.id, after.id, "") for before, after in pairwise(diagram.nodes)]:
        return Drawing(title, tuple(_box(node) for node in diagram.nodes))
    sources = {node.id: [edge.source for edge in diagram.edges if edge.target == node.id] for node in diagram.nodes}
    scale = 2 if any(edge.label for edge in diagram.edges) else 1
    layer: dict[str, int] = {}
    for node in TopologicalSorter(sources).static_order():
        layer[node] = max((layer[source] + scale for source in sources[node]), default=0)
    boxes = {node.id: _box(node) for node in diagram.nodes}
    routes: list[list[str]] = []
    for number, edge in enumerate(diagram.edges):
        stops = {f"stop {number} {place}": place for place in range(layer[edge.source] + 1, layer[edge.target])}
        layer |= stops
        routes.append([edge.source, *stops, edge.target])
        if edge.label:
            boxes[list(stops)[len(stops) // 2]] = Box(edge.label, "", "edge")
    places = _places(layer, routes)
    placed = {name: replace(box, x=places[name][0], y=places[name][1]) for name, box in boxes.items()}
    arrows = [
        arrow
        for edge, route in zip(diagram.edges, routes, strict=True)
        for arrow in _arrows(route, placed, places, hue(edge.label) if edge.label else None)
    ]
    size = max(x for x, _ in places.values()) + _COLUMN / 2, max(y for _, y in places.values()) + _ROW / 2
    return Drawing(title, tuple(placed.values()), tuple(arrows), size)


def _box(node: Node) -> Box:
    return Box(node.label, node.detail, "op" if node.kind == "op" else "end")


def _places(layer: dict[str, int], routes: list[list[str]]) -> dict[str, tuple[float, float]]:
    """The centre of every item, in pixels."""
    from scipy.optimize import isotonic_regression  # here: a third of a second that few ask for

    near: dict[str, list[str]] = defaultdict(list)
    for route in routes:
        for before, after in pairwise(route):
            near[before].append(after)
            near[after].append(before)
    columns = [[item for item in layer if layer[item] == place] for place in range(max(layer.values()) + 1)]

    def ranks(columns: list[list[str]]) -> dict[str, float]:
        return {item: rank - (len(column) - 1) / 2 for column in columns for rank, item in enumerate(column)}

    place = ranks(columns)
    orders = []
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            column.sort(key=lambda item: fmean([place[n] for n in near[item]] or [place[item]]))
            place |= ranks([column])
        length = sum(abs(place[a] - place[b]) for route in routes for a, b in pairwise(route))
        orders.append((length, [list(column) for column in columns]))
    columns = min(orders, key=lambda order: order[0])[1]
    place = ranks(columns)
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):  # to the neighbours' mean, but a row apart
            rows = np.arange(len(column))
            wanted = [fmean([place[n] for n in near[item]] or [place[item]]) for item in column]
            place |= dict(zip(column, isotonic_regression(wanted - rows).x + rows, strict=True))
    top = 0.5 - min(place.values())
    return {item: ((layer[item] + 0.5) * _COLUMN, (float(row) + top) * _ROW) for item, row in place.items()}


def _arrows(
    route: list[str], boxes: Mapping[str, Box], places: Mapping[str, tuple[float, float]], tone: int | None
) -> Iterator[Arrow]:
    """The curve along a route, in two halves where a box with the operation stands on it."""
    path, last, height = "", 0.0, 0.0
    for item in route:
        x, y = places[item]
        half = boxes[item].half if item in boxes else _REACH  # level across the layer, so that it passes between boxes
        if path:
            end = x - half - (_HEAD if item == route[-1] else 0)
            path += f" C{(last + end) / 2:.0f},{height:.0f} {(last + end) / 2:.0f},{y:.0f} {end:.0f},{y:.0f}"
            if item in boxes:
                yield Arrow(path, tone, (x - half, y) if item == route[-1] else None)
        if item in boxes:
            path = f"M{x + half:.0f},{y:.0f}"
        else:
            path += f" H{x + half:.0f}"
        last, height = x + half, y
