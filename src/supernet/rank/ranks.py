"""Ranks of many score lists at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet.errors import UsageError
from supernet.rank.checks import Floats, check_same_length, scores

Ranks = NDArray[np.int64]
"""Dense ranks: the smallest score has 0, equal scores share a rank, the next higher score has one more."""


def dense_ranks(scores: Floats) -> Ranks:
    """Dense ranks (N,) of scores (N,)."""
    return np.unique(scores, return_inverse=True)[1].reshape(-1).astype(np.int64)


def mid_ranks(ranks: Ranks) -> Floats:
    """Ranks 1 … N, ties sharing their mean, of each row of ranks (R, N) from 0; gaps do no harm."""
    rows = len(ranks)
    width = int(ranks.max()) + 1
    at = ranks + width * np.arange(rows)[:, None]
    counts = np.bincount(at.reshape(-1), minlength=rows * width).reshape(rows, width)
    middle: Floats = np.cumsum(counts, axis=1) - (counts - 1) / 2
    placed: Floats = middle.reshape(-1)[at]
    return placed


def add_ranks(*rankings: ArrayLike) -> Floats:
    """One ranking out of several: the sums (N,) of the ranks of scores (N,), ties sharing their mean rank.

    Rankings that are wrong about different architectures correct each other. A supernet that was trained briefly
    underrates convolutions, which converge slowly; parameter count sees nothing else.

    Args:
        rankings: Scores (N,) each, the higher the better; their scales do not matter.

    Raises:
        UsageError: fewer than two rankings, scores that are not usable, or lists of different length.

    >>> add_ranks([0.91, 0.93, 0.92], [10, 20, 40])
    array([2., 5., 5.])
    """
    if len(rankings) < 2:
        raise UsageError(f"Ranks of {len(rankings)} rankings cannot be added; give two or more.")
    rows = [scores(values, f"ranking {number}") for number, values in enumerate(rankings, start=1)]
    for number, row in enumerate(rows[1:], start=2):
        check_same_length(rows[0], row, "ranking 1", f"ranking {number}")
    added: Floats = mid_ranks(np.stack([dense_ranks(row) for row in rows])).sum(axis=0)
    return added
