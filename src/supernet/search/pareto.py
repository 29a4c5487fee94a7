"""Dominance: which points cannot be improved in one objective without losing in another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def nondominated(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows (N,) of losses (N, M) no other row dominates; less is better, equal rows do not dominate each other.

    O(N log N) for two objectives, and O(N log N + N·F·M) for M of them and a front of F points.

    >>> nondominated(np.array([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0], [1.0, 2.0]])).tolist()
    [True, True, False, True]
    """
    # In lexicographic order a row can only be dominated by one before it.
    rows, inverse = np.unique(losses, axis=0, return_inverse=True)
    alive = np.ones(len(rows), dtype=bool)
    if rows.shape[1] == 2:  # by one that is no worse in the second either
        alive[1:] = rows[1:, 1] < np.minimum.accumulate(rows[:-1, 1])
        return alive[inverse.reshape(-1)]
    for place in range(len(rows)):
        if alive[place]:
            alive[place + 1 :] &= (rows[place + 1 :] < rows[place]).any(axis=1)
    return alive[inverse.reshape(-1)]


def hypervolume(losses: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Exact volume that the rows of losses (N, M) dominate below a reference point (M,).

    O(N log N) in two objectives; every further one is cut into slices, which costs a factor N: meant for fronts of some
    hundred points in three objectives and some tens in four.

    >>> hypervolume(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([2.0, 2.0]))
    3.0
    """
    inside = losses[(losses < reference).all(axis=1)]
    if not len(inside):
        return 0.0
    if inside.shape[1] == 1:
        return float(reference[0] - inside.min())
    inside = inside[nondominated(inside)]
    inside = inside[np.argsort(inside[:, -1], kind="stable")]
    heights = np.diff(np.append(inside[:, -1], reference[-1]))
    if inside.shape[1] == 2:  # the lower slices reach less far, so the last point of each is its widest
        return float(heights @ (reference[0] - inside[:, 0]))
    slices = (hypervolume(inside[: k + 1, :-1], reference[:-1]) * h for k, h in enumerate(heights) if h > 0)
    return float(sum(slices))


def best_rows(losses: NDArray[np.float64], violations: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Places of the `n` best rows of losses (N, M), the best first; among equals the earlier.

    What violates something (violations (N,) above 0) comes last, by violation. For one loss its value decides;
    for several the layers of non-dominated rows, the first layer first, and a layer that does not fit whole is thinned
    evenly.
    """
    left = np.flatnonzero(violations == 0)
    found: list[int] = []
    if losses.shape[1] == 1:
        found = left[np.argsort(losses[left, 0], kind="stable")][:n].tolist()
    else:
        while len(left) and len(found) < n:
            first = nondominated(losses[left])
            layer = left[first]
            layer = layer[np.lexsort(losses[layer].T[::-1])]
            found += layer[spread(losses[layer], n - len(found))].tolist()
            left = left[~first]
    others = np.argsort(violations, kind="stable")
    return np.asarray([*found, *others[violations[others] > 0].tolist()][:n], dtype=np.int64)


def spread(losses: NDArray[np.float64], n: int, first: int = 0) -> list[int]:
    """Places of `n` rows that cover losses (N, M), in ascending order.

    Taken are `first`, the row at the start, that at the end, then always the one farthest from those taken, with each
    objective scaled to its range.
    """
    if n >= len(losses):
        return list(range(len(losses)))
    extent = np.ptp(losses, axis=0)
    scaled = losses / np.where(extent > 0, extent, 1.0)
    taken = list(dict.fromkeys((first, 0, len(losses) - 1)))[:n]
    distance = np.full(len(losses), np.inf)
    while True:
        for place in taken:
            distance = np.minimum(distance, np.linalg.norm(scaled - scaled[place], axis=1))
        distance[taken] = -1.0  # never again, even where points coincide
        if len(taken) == n:
            return sorted(taken)
        taken.append(int(distance.argmax()))
