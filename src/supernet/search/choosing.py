"""Choosing among the points of a front: the best one, some spread along it, and what these are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from supernet.measure.quantity import LOSS, Quantity
from supernet.search import pareto
from supernet.search.constraints import Constraints


class Measured(Protocol):
    """Whatever has values by the names of quantities."""

    @property
    def values(self) -> Mapping[str, float]: ...


P = TypeVar("P", bound=Measured)

_SIZES: Mapping[int, tuple[str, ...]] = {2: ("small", "large"), 3: ("small", "medium", "large")}


def cost_of(objectives: Sequence[Quantity], constraints: Constraints) -> str | None:
    """The quantity that quality is paid for with; None where nothing is known to be one.

    The first minimised objective beside the quality (the first maximised objective, else the loss, else the first);
    else the first quantity that the constraints bound from above.
    """
    ranked = [o for o in objectives if o.goal == "max"] or [o for o in objectives if o.name == LOSS.name]
    quality = (ranked or list(objectives))[0].name
    costs = [o.name for o in objectives if o.goal == "min" and o.name != quality]
    costs += [c.name for c in constraints if c.high is not None and c.name not in {o.name for o in objectives}]
    return costs[0] if costs else None


def losses(points: Sequence[Measured], objectives: Sequence[Quantity]) -> NDArray[np.float64]:
    """The objectives (N, M) of N points, less being better."""
    rows = [[o.loss(point.values[o.name]) for o in objectives] for point in points]
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), len(objectives))


def best(points: Sequence[P], objectives: Sequence[Quantity], cost: str | None = None) -> P:
    """The point that is best in the first objective; the others decide between equals, then the cost."""

    def key(point: P) -> tuple[float, ...]:
        told = tuple(o.loss(point.values[o.name]) for o in objectives)
        return told if cost is None else (*told, point.values[cost])

    return min(points, key=key)


def spread(points: Sequence[P], objectives: Sequence[Quantity], cost: str | None, n: int) -> tuple[P, ...]:
    """`n` points in the order given: the best one, the first, the last, then those farthest from the taken ones."""
    extent = losses(points, objectives)
    if cost is not None and cost not in {o.name for o in objectives}:
        extent = np.column_stack([extent, [point.values[cost] for point in points]])
    chosen = best(points, objectives, cost)
    first = next(place for place, point in enumerate(points) if point is chosen)
    return tuple(points[place] for place in pareto.spread(extent, n, first))


def named(points: Sequence[P], cost: str | None) -> dict[str, P]:
    """The chosen points by names that are true of them.

    One is `best`. Two or three of ascending cost are `small`, (`medium`,) `large`. Else they are numbered.
    """
    names = tuple(f"front-{place:02d}" for place in range(1, len(points) + 1))
    if len(points) == 1:
        names = ("best",)
    elif cost is not None and len(points) in _SIZES:
        costs = [point.values[cost] for point in points]
        if all(low < high for low, high in pairwise(costs)):
            names = _SIZES[len(points)]
    return dict(zip(names, points, strict=True))
