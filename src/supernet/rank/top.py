"""Are the best among the predicted best? Top-architecture ID rate and P@k, with thresholds by value.

The top k of a list are all architectures that score at least as well as the k-th best; ties enlarge the set.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet.rank.checks import Floats, check_k, score_lists, scores
from supernet.rank.ranks import Ranks


def top_k(values: ArrayLike, k: int) -> NDArray[np.bool_]:
    """Which architectures (N,) score at least as well as the k-th best.

    Raises:
        UsageError: scores that are not usable, or k outside 1 … N.

    >>> top_k([0.9, 0.7, 0.7, 0.1], 2).tolist()
    [True, True, True, False]
    """
    array = scores(values, "given")
    check_k(k, len(array))
    return in_top(array, k)


def top_id_rate(predicted: ArrayLike, true: ArrayLike, k: int) -> float:
    """Top-architecture ID rate a₁,ₖ = |T_k ∩ V_k| / |T_k|: the share of the truly best k that are predicted to be.

    T_k holds the architectures with at least the k-th best true score, V_k those with at least the k-th best
    predicted score ("Evaluating supernet for neural architecture search", app. C.1). A random order gives k / N.

    Raises:
        UsageError: as in `kendall_tau`, or k outside 1 … N.

    >>> top_id_rate([4, 3, 2, 1], [4, 1, 3, 2], k=2)
    0.5
    """
    first, second = score_lists(predicted, true)
    check_k(k, len(first))
    return float(top_id_rows(first[None], second[None], k)[0])


def top_id_curve(predicted: ArrayLike, true: ArrayLike) -> Floats:
    """`top_id_rate` (N,) for k = 1 … N. O(N log N).

    Raises:
        UsageError: as in `kendall_tau`.
    """
    first, second = score_lists(predicted, true)
    in_true, in_predicted = first_k(second), first_k(first)
    n = len(first)
    both = np.cumsum(np.bincount(np.maximum(in_true, in_predicted), minlength=n + 1)[1:])
    return np.asarray(both / np.cumsum(np.bincount(in_true, minlength=n + 1)[1:]), dtype=np.float64)


def precision_at_k(predicted: ArrayLike, true: ArrayLike, k: int) -> float:
    """P@k = |T_k ∩ V_k| / |V_k|: the share of the predicted top k that are truly in the top k.

    Without ties it equals the top-architecture ID rate; many equal predictions at the threshold lower it.

    Raises:
        UsageError: as in `top_id_rate`.
    """
    first, second = score_lists(predicted, true)
    check_k(k, len(first))
    return float(top_id_rows(second[None], first[None], k)[0])


def in_top(values: Floats | Ranks, k: int) -> NDArray[np.bool_]:
    """Which entries (…, N) are at least the k-th largest along the last axis."""
    place = values.shape[-1] - k
    threshold = np.partition(values, place, axis=-1)[..., place : place + 1]
    return np.asarray(values >= threshold)


def first_k(values: Floats) -> NDArray[np.int64]:
    """The smallest k (N,) for which each architecture is in the top k: 1 + the number that score better."""
    return len(values) - np.searchsorted(np.sort(values), values, side="right") + 1


def top_id_rows(predicted: Floats | Ranks, true: Floats | Ranks, k: int) -> Floats:
    """Top-architecture ID rate (R,) of each row of scores (R, N)."""
    best, chosen = in_top(true, k), in_top(predicted, k)
    return np.asarray((best & chosen).sum(axis=-1) / best.sum(axis=-1), dtype=np.float64)
