"""The best choices of one row from each of several tables, by their sum, under bounds on other sums."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supernet.rank.checks import Floats

_POINTS = 20_000  # so many points of a front are kept apart


@dataclass(frozen=True)
class Best:
    """The best combinations, the best first.

    Attributes:
        rows: The row of each table (K, T).
        losses: Their sums (K,).
        visited: How many partial combinations were looked at; without bounds it would be every one.
    """

    rows: NDArray[np.int64]
    losses: Floats
    visited: int


def best_rows(
    losses: Sequence[Floats],
    costs: Sequence[Floats],
    *,
    low: Floats,
    high: Floats,
    count: int = 1,
) -> Best:
    """The combinations of one row per table with the smallest sums of losses, whose sums of costs are within bounds.

    Depth first: a table after the other, its rows by loss. A partial combination is given up where no completion can
    be within a bound, or none is better than the best so far: a completion costs at least the sum of the smallest
    costs that are left, and its loss is at least the smallest one that is left within each upper bound alone, which is
    read off the non-dominated sums of the tables that are left (DNA, arXiv 1911.13053, §3.4, prunes by the smallest
    cost and by the order of losses alone). Combinations of equal loss come in no particular order.

    Args:
        losses: One number per row, for each of T tables.
        costs: M numbers per row (n, M), for each table.
        low: The smallest sums of costs that are allowed (M,); -inf: any.
        high: The largest ones (M,); inf: any.
        count: The number of combinations to find, as far as there are any.
    """
    walk = _Walk(losses, costs, low, high, count)
    walk.descend(0, 0.0, np.zeros(len(high)), [])
    found = sorted((-loss, rows) for loss, rows in walk.found)
    rows = np.asarray([rows for _, rows in found], dtype=np.int64).reshape(len(found), len(losses))
    return Best(rows, np.asarray([loss for loss, _ in found], dtype=np.float64), walk.visited)


class _Walk:
    def __init__(
        self, losses: Sequence[Floats], costs: Sequence[Floats], low: Floats, high: Floats, count: int
    ) -> None:
        self.orders = [np.argsort(loss, kind="stable") for loss in losses]
        self.losses = [loss[order] for loss, order in zip(losses, self.orders, strict=True)]
        self.costs = [cost[order] for cost, order in zip(costs, self.orders, strict=True)]
        self.low, self.high, self.count = low, high, count
        left = range(len(losses) + 1)
        zero = np.zeros(len(high))
        self.cheapest = [sum((c.min(axis=0) for c in self.costs[t:]), zero) for t in left]
        self.dearest = [sum((c.max(axis=0) for c in self.costs[t:]), zero) for t in left]
        self.fronts = [self._fronts(t) for t in left]
        self.found: list[tuple[float, list[int]]] = []
        self.visited = 0

    def _fronts(self, table: int) -> list[tuple[Floats, Floats]]:
        """For each bounded cost the non-dominated (cost, loss) of all tables from this one on."""
        found = []
        for m in range(len(self.high)):
            front = (np.zeros(1), np.zeros(1))
            for cost, loss in zip(self.costs[table:], self.losses[table:], strict=True):
                mine = _front(cost[:, m], loss)
                front = _front(*(np.add.outer(a, b).ravel() for a, b in zip(front, mine, strict=True)))
            found.append(front)
        return found

    def _least(self, table: int, spent: Floats) -> float:
        """A bound from below on the loss of the tables that are left."""
        bound = sum(float(loss[0]) for loss in self.losses[table:])
        for m, (cost, loss) in enumerate(self.fronts[table]):
            place = int(np.searchsorted(cost, _above(self.high[m] - spent[m], self.high[m]), side="right")) - 1
            bound = max(bound, float(loss[place])) if place >= 0 else np.inf
        return bound

    def descend(self, table: int, loss: float, spent: Floats, rows: list[int]) -> None:
        if table == len(self.losses):
            if ((spent >= _below(self.low)) & (spent <= _above(self.high, self.high))).all():
                heapq.heappush(self.found, (-loss, [*rows]))
                if len(self.found) > self.count:
                    heapq.heappop(self.found)
            return
        rest = sum(float(later[0]) for later in self.losses[table + 1 :])
        for place, (mine, cost) in enumerate(zip(self.losses[table], self.costs[table], strict=True)):
            if loss + mine + rest >= self._worst:
                return  # the rows are sorted: none that follows is better
            self.visited += 1
            total = spent + cost
            if (total + self.cheapest[table + 1] > _above(self.high, self.high)).any():
                continue
            if (total + self.dearest[table + 1] < _below(self.low)).any():
                continue
            if loss + mine + self._least(table + 1, total) >= self._worst:
                continue
            self.descend(table + 1, loss + float(mine), total, [*rows, int(self.orders[table][place])])

    @property
    def _worst(self) -> float:
        """What has to be beaten."""
        return -self.found[0][0] if len(self.found) == self.count else np.inf


def _front(cost: Floats, loss: Floats) -> tuple[Floats, Floats]:
    """The points that no other beats in both, by cost; of very many, corners below several of them."""
    order = np.lexsort((loss, cost))
    cost, loss = cost[order], loss[order]
    kept = loss < np.concatenate([[np.inf], np.minimum.accumulate(loss)[:-1]])
    cost, loss = cost[kept], loss[kept]
    if len(cost) > _POINTS:
        first = np.arange(0, len(cost), -(-len(cost) // _POINTS))
        cost, loss = cost[first], np.minimum.reduceat(loss, first)
    return cost, loss


def _above(bound: Floats, of: Floats) -> Floats:
    """A bound with room for what rounding adds to a sum."""
    found: Floats = bound + 1e-9 * np.where(np.isfinite(of), np.maximum(np.abs(of), 1.0), 0.0)
    return found


def _below(bound: Floats) -> Floats:
    found: Floats = bound - 1e-9 * np.where(np.isfinite(bound), np.maximum(np.abs(bound), 1.0), 0.0)
    return found
