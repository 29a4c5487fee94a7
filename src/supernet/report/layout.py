"""Place boxes and edges of a directed acyclic graph in layers, from left to right, in as many rows as needed.

A graph that is wider than the page is cut where a single edge connects its parts, and continues in the next row
in the opposite direction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from supernet.report.layers import Item, Layers, assign, heights_of, reduce_crossings, with_stand_ins

Place = tuple[float, float]
Size = tuple[float, float]

LAYER_GAP, ROW_GAP = 26.0, 30.0


@dataclass(frozen=True)
class Route:
    """The way of one edge: points to pass, and the direction in which it arrives."""

    points: tuple[Place, ...]
    heading: Literal["right", "left", "down"]


@dataclass(frozen=True)
class Layout:
    """Centres of the items, routes of the edges (in the order given), extent of the whole."""

    centres: Mapping[Item, Place]
    routes: tuple[Route, ...]
    width: float
    height: float


def arrange(sizes: Mapping[Item, Size], edges: Sequence[tuple[Item, Item]], *, width: float) -> Layout:
    """Lay a graph out.

    Args:
        sizes: width and height of every item.
        edges: pairs (source, target) without a cycle.
        width: the width to keep to, where the graph can be cut into rows.
    """
    layers = with_stand_ins(assign(list(sizes), edges), edges)
    reduce_crossings(layers)
    heights = {item: sizes[item][1] if item in sizes else 4.0 for layer in layers.order for item in layer}
    ys = heights_of(layers, heights)
    widths = [max((sizes[i][0] for i in layer if i in sizes), default=0.0) for layer in layers.order]
    rows = _rows(layers, sizes, widths, width)
    return _place(layers, sizes, heights, ys, widths, rows, edges)


def _rows(layers: Layers, sizes: Mapping[Item, Size], widths: Sequence[float], width: float) -> list[list[int]]:
    """Group consecutive layers into rows of about equal width, cutting only where one edge crosses."""
    parts: list[list[int]] = [[]]
    for index in range(len(layers.order)):
        parts[-1].append(index)
        last = index + 1 == len(layers.order)
        if not last and all(len(x) == 1 and x[0] in sizes for x in layers.order[index : index + 2]):
            parts.append([])

    def pack(limit: float) -> list[list[int]]:
        rows: list[list[int]] = [[]]
        used = 0.0
        for part in parts:
            need = sum(widths[i] + LAYER_GAP for i in part)
            if rows[-1] and used + need - LAYER_GAP > limit:
                rows.append([])
                used = 0.0
            rows[-1].extend(part)
            used += need
        return rows

    rows = pack(width)
    narrow, enough = 0.0, min(width, sum(widths) + LAYER_GAP * len(widths))
    while enough - narrow > 1:  # the narrowest limit that needs no further row
        middle = (narrow + enough) / 2
        if len(pack(middle)) > len(rows):
            narrow = middle
        else:
            enough = middle
    return pack(enough)


def _place(
    layers: Layers,
    sizes: Mapping[Item, Size],
    heights: Mapping[Item, float],
    ys: Mapping[Item, float],
    widths: Sequence[float],
    rows: Sequence[Sequence[int]],
    edges: Sequence[tuple[Item, Item]],
) -> Layout:
    centres: dict[Item, Place] = {}
    row_of: dict[Item, int] = {}
    spread: dict[Item, float] = {}  # half the width of the layer an item or stand-in lies in
    x, top = 0.0, 0.0
    for number, row in enumerate(rows):
        sign = -1.0 if number % 2 else 1.0
        members = [item for index in row for item in layers.order[index]]
        highest = min(ys[item] - heights[item] / 2 for item in members)
        lowest = max(ys[item] + heights[item] / 2 for item in members)
        for place, index in enumerate(row):
            if place:
                x += sign * (widths[row[place - 1]] / 2 + LAYER_GAP + widths[index] / 2)
            for item in layers.order[index]:
                centres[item] = (x, top + ys[item] - highest)
                row_of[item], spread[item] = number, widths[index] / 2
        top += lowest - highest + ROW_GAP
    routes = [_route(chain, centres, row_of, sizes, spread) for chain in layers.chains]
    left = min(centres[item][0] - sizes[item][0] / 2 for item in sizes)
    right = max(centres[item][0] + sizes[item][0] / 2 for item in sizes)
    return Layout(
        {item: (centres[item][0] - left, centres[item][1]) for item in sizes},
        tuple(Route(tuple((px - left, py) for px, py in route.points), route.heading) for route in routes),
        right - left,
        top - ROW_GAP,
    )


def _route(
    chain: Sequence[Item],
    centres: Mapping[Item, Place],
    row_of: Mapping[Item, int],
    sizes: Mapping[Item, Size],
    spread: Mapping[Item, float],
) -> Route:
    source, target = chain[0], chain[-1]
    (x0, y0), (x1, y1) = centres[source], centres[target]
    if row_of[source] != row_of[target]:
        return Route(((x0, y0 + sizes[source][1] / 2), (x1, y1 - sizes[target][1] / 2)), "down")
    sign = -1.0 if row_of[source] % 2 else 1.0
    points = [(x0 + sign * sizes[source][0] / 2, y0)]
    for item in chain[1:-1]:  # level across the whole layer, so that it passes between the boxes
        x, y = centres[item]
        points += [(x - sign * spread[item], y), (x + sign * spread[item], y)]
    points.append((x1 - sign * sizes[target][0] / 2, y1))
    return Route(tuple(points), "right" if sign > 0 else "left")
