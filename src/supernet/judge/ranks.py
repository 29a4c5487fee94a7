"""Ranks of many score lists at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from supernet.judge.checks import Floats

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
