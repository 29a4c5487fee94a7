"""Sort the items of a directed acyclic graph into layers, order each layer, and give every item a height.

The first steps of Sugiyama, Tagawa & Toda (1981): longest-path layers, invisible stand-ins where an edge passes
a layer, barycentre ordering, vertical coordinates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Item = Hashable

ITEM_GAP = 16.0
_SWEEPS = 24


@dataclass
class Layers:
    """Items and stand-ins by layer, in drawing order, and the unit-length segments between them."""

    order: list[list[Item]]
    chains: list[list[Item]]  # one per edge: source, stand-ins, target
    before: dict[Item, list[Item]] = field(default_factory=lambda: defaultdict(list))
    after: dict[Item, list[Item]] = field(default_factory=lambda: defaultdict(list))


def longest_paths(items: Sequence[Item], edges: Sequence[tuple[Item, Item]]) -> dict[Item, int] | None:
    """The layer of each item: the length of the longest path that leads to it. None where there is a cycle."""
    waiting = dict.fromkeys(items, 0)
    targets: dict[Item, list[Item]] = defaultdict(list)
    for source, target in edges:
        waiting[target] += 1
        targets[source].append(target)
    layer = dict.fromkeys(items, 0)
    ready = [item for item in items if not waiting[item]]
    for item in ready:  # grows while it is read
        for target in targets[item]:
            layer[target] = max(layer[target], layer[item] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return layer if len(ready) == len(items) else None


def assign(items: list[Item], edges: Sequence[tuple[Item, Item]]) -> dict[Item, int]:
    """Longest-path layers, with items that have room between their two neighbours moved to the emptiest layer."""
    layer = longest_paths(items, edges)
    if layer is None:
        raise ValueError("the graph has a cycle")
    sources: dict[Item, list[Item]] = defaultdict(list)
    targets: dict[Item, list[Item]] = defaultdict(list)
    for source, target in edges:
        sources[target].append(source)
        targets[source].append(target)
    load: dict[int, int] = defaultdict(int)
    movable = []
    for item in items:
        if len(sources[item]) == 1 == len(targets[item]) and layer[targets[item][0]] - layer[item] > 1:
            movable.append(item)
        else:
            load[layer[item]] += 1
    for item in movable:
        first, last = layer[sources[item][0]] + 1, layer[targets[item][0]] - 1
        middle = (first + last) / 2
        layer[item] = min(range(first, last + 1), key=lambda place: (load[place], abs(place - middle)))
        load[layer[item]] += 1
    return layer


def with_stand_ins(layer: Mapping[Item, int], edges: Sequence[tuple[Item, Item]]) -> Layers:
    order: list[list[Item]] = [[] for _ in range(max(layer.values(), default=0) + 1)]
    for item, index in layer.items():
        order[index].append(item)
    layers = Layers(order, [])
    for number, (source, target) in enumerate(edges):
        chain: list[Item] = [source]
        for index in range(layer[source] + 1, layer[target]):
            chain.append(("stand-in", number, index))
            order[index].append(chain[-1])
        chain.append(target)
        layers.chains.append(chain)
        for left, right in pairwise(chain):
            layers.after[left].append(right)
            layers.before[right].append(left)
    return layers


def reduce_crossings(layers: Layers) -> None:
    """Sweep to and fro, sorting each layer by the mean position of its neighbours; keep the best order seen."""
    best, fewest = [list(layer) for layer in layers.order], _crossings(layers)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        neighbours = layers.before if forward else layers.after
        indices = range(1, len(layers.order)) if forward else range(len(layers.order) - 2, -1, -1)
        for index in indices:
            fixed = layers.order[index - 1 if forward else index + 1]
            position = {item: i for i, item in enumerate(fixed)}
            own = {item: i for i, item in enumerate(layers.order[index])}
            layers.order[index].sort(key=lambda item: _mean([position[n] for n in neighbours[item]], own[item]))
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers.order], crossings
    layers.order = best


def _crossings(layers: Layers) -> int:
    total = 0
    for left, right in zip(layers.order, layers.order[1:], strict=False):
        position = {item: i for i, item in enumerate(right)}
        ends = [(i, position[target]) for i, item in enumerate(left) for target in layers.after[item]]
        total += sum((a < c and b > d) or (a > c and b < d) for k, (a, b) in enumerate(ends) for c, d in ends[:k])
    return total


def heights_of(layers: Layers, heights: Mapping[Item, float]) -> dict[Item, float]:
    """Draw every item to the mean height of its neighbours, without overlap and without changing the order."""
    ys: dict[Item, float] = {}
    for layer in layers.order:
        total = sum(heights[item] for item in layer) + ITEM_GAP * (len(layer) - 1)
        top = -total / 2
        for item in layer:
            ys[item] = top + heights[item] / 2
            top += heights[item] + ITEM_GAP
    for _ in range(_SWEEPS):
        for layer in layers.order:
            gaps = [(heights[a] + heights[b]) / 2 + ITEM_GAP for a, b in pairwise(layer)]
            wanted = [_wanted(item, layers, ys) for item in layer]
            ys.update(zip(layer, keep_apart(wanted, gaps), strict=True))
    return ys


def _wanted(item: Item, layers: Layers, ys: Mapping[Item, float]) -> float:
    """The mean height of the neighbours; those on the same long edge count four times, to keep it straight."""
    passing = len(layers.before[item]) == 1 == len(layers.after[item])
    neighbours = layers.before[item] + layers.after[item]
    long = [n for n in neighbours if passing and len(layers.before[n]) == 1 == len(layers.after[n])]
    return _mean([ys[n] for n in neighbours + 3 * long], ys[item])


def keep_apart(wanted: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """The positions nearest to those wanted (least squares) that leave each gap open (pool adjacent violators).

    >>> keep_apart([0.0, 0.0, 10.0], [4.0, 4.0])
    [-2.0, 2.0, 10.0]
    """
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    blocks: list[tuple[float, int]] = []  # (mean, members)
    for want, offset in zip(wanted, offsets, strict=False):
        mean, members = want - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, count = blocks.pop()
            mean, members = (mean * members + other * count) / (members + count), members + count
        blocks.append((mean, members))
    means = [mean for mean, members in blocks for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
