"""Kendall's τ-b, and the partial τ that holds a third quantity fixed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet.errors import UsageError
from supernet.rank.checks import Floats, check_same_length, score_lists, scores
from supernet.rank.ranks import Ranks, dense_ranks

_CHUNK = 1 << 22  # scores handled at once: some 100 MB


def kendall_tau(predicted: ArrayLike, true: ArrayLike) -> float:
    """Kendall's τ-b (Kendall, 1945), which corrects for ties.

    τ = (C − D) / √((n₀ − n₁)(n₀ − n₂)) with C concordant and D discordant of n₀ pairs, of which n₁ tie in the first
    and n₂ in the second list. O(N log N) (Knight, 1966).

    Args:
        predicted: Predicted scores (N,).
        true: True scores (N,) of the same architectures.

    Raises:
        UsageError: lists of different length, fewer than three architectures, a score that is not finite, or a
            constant list.

    >>> kendall_tau([1, 2, 3, 4], [1, 3, 2, 4])
    0.6666666666666666
    """
    first, second = score_lists(predicted, true)
    return float(tau_rows(dense_ranks(first)[None], dense_ranks(second)[None])[0])


def partial_tau(predicted: ArrayLike, true: ArrayLike, control: ArrayLike) -> float:
    """Kendall's partial τ: how predicted and true scores agree beyond what the control explains.

    (τ_pt − τ_pc τ_tc) / √((1 − τ_pc²)(1 − τ_tc²)). With the parameter count as control: what a supernet knows
    that parameter count does not. It is no test of conditional independence: two normal scores that share nothing but
    the control, each correlated 0.71 with it, have τ = 1/3 and a partial τ of 1/9.

    Raises:
        UsageError: as in `kendall_tau`, or the control ranks exactly like one of the lists.
    """
    first, second = score_lists(predicted, true)
    third = scores(control, "control")
    check_same_length(first, third, "predicted", "control")
    ranks = [dense_ranks(values)[None] for values in (first, second, third)]
    partial = partial_tau_rows(*ranks)[0]
    if np.isnan(partial):
        raise UsageError(
            "The control ranks the architectures exactly like the predicted or the true scores, so nothing is left "
            "that it does not explain; the partial τ is undefined. Use kendall_tau."
        )
    return float(partial)


def tau_rows(first: Ranks, second: Ranks, present: NDArray[np.bool_] | None = None) -> Floats:
    """τ-b (R,) of each row of ranks (R, N); NaN where a row is constant.

    Args:
        first: Ranks of one list in each row, from 0; gaps do no harm.
        second: Ranks of the other list.
        present: Which entries (R, N) count; all by default.
    """
    rows, n = first.shape
    step = max(1, _CHUNK // n)
    parts = [
        _tau_rows(first[at : at + step], second[at : at + step], None if present is None else present[at : at + step])
        for at in range(0, rows, step)
    ]
    return np.concatenate(parts)


def partial_tau_rows(predicted: Ranks, true: Ranks, control: Ranks) -> Floats:
    """Partial τ (R,) of each row of ranks (R, N); NaN where it is undefined."""
    return partial_of(tau_rows(predicted, true), tau_rows(predicted, control), tau_rows(true, control))


def partial_of(pt: Floats, pc: Floats, tc: Floats) -> Floats:
    """Partial τ from the three τ of predicted (p), true (t) and control (c); NaN where it is undefined."""
    left = (1 - pc**2) * (1 - tc**2)
    enough = left > 1e-12
    return np.where(enough, (pt - pc * tc) / np.sqrt(np.where(enough, left, 1.0)), np.nan)


def _tau_rows(first: Ranks, second: Ranks, present: NDArray[np.bool_] | None) -> Floats:
    rows, n = first.shape
    width = 1 << (n - 1).bit_length()
    bits = max(int(first.max()), int(second.max())).bit_length() + 1
    absent = (1 << bits) - 1  # above every rank
    # Absent entries and the padding form one last group: tied among themselves, concordant with all others.
    keys = np.full((rows, width), (absent << bits) | absent, dtype=np.int32 if 2 * bits < 31 else np.int64)
    keys[:, :n] = (
        (first << bits) | second if present is None else np.where(present, first << bits | second, keys[:, :n])
    )
    keys.sort(axis=1)
    counted = np.count_nonzero(keys != keys.dtype.type((absent << bits) | absent), axis=1)
    keys = keys[:, : 1 << int(counted.max() - 1).bit_length()]
    last = keys.shape[1] - counted
    pairs, last_pairs = counted * (counted - 1) / 2, last * (last - 1) / 2
    tied_both = _tied_pairs(keys) - last_pairs
    tied_first = _tied_pairs(keys >> bits) - last_pairs
    inversions, ordered = _inversions(keys & absent)
    tied_second = _tied_pairs(ordered) - last_pairs
    score = pairs - tied_first - tied_second + tied_both - 2 * inversions
    scale = np.sqrt((pairs - tied_first) * (pairs - tied_second))
    return np.where(scale > 0, score / np.where(scale > 0, scale, 1.0), np.nan)


def _inversions(values: NDArray[np.signedinteger]) -> tuple[Floats, NDArray[np.signedinteger]]:
    """Pairs (R,) of each row (R, 2ᵐ) that stand in strictly descending order, and the sorted rows: a merge sort."""
    rows, width = values.shape
    found = np.zeros(rows)
    half = 1
    while half < width:
        blocks = values.reshape(rows, -1, 2 * half) << 1
        blocks[..., half:] |= 1  # equal values: the right one sorts last
        blocks.sort(axis=2)
        right = (blocks & 1).astype(np.float32 if half < 1024 else np.float64)
        # In a sorted block the right ones have moved to the front by one place per inversion.
        places: Floats = (right @ np.arange(2 * half, dtype=right.dtype)).astype(np.float64)
        found += blocks.shape[1] * (half * (3 * half - 1) / 2) - places.sum(axis=1)
        values = (blocks >> 1).reshape(rows, width)
        half *= 2
    return found, values


def _tied_pairs(ordered: NDArray[np.signedinteger]) -> Floats:
    """Pairs (R,) of equal values in each sorted row."""
    places = np.arange(ordered.shape[1], dtype=np.int32)
    new = np.ones(ordered.shape, dtype=bool)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=new[:, 1:])
    starts = np.maximum.accumulate(np.where(new, places, np.int32(0)), axis=1)
    return np.asarray((places - starts).sum(axis=1), dtype=np.float64)
