"""Spearman's ρ and Pearson's r."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from supernet.rank.checks import Floats, score_lists
from supernet.rank.ranks import Ranks, dense_ranks, mid_ranks


def pearson_r(predicted: ArrayLike, true: ArrayLike) -> float:
    """Pearson's correlation r of the scores themselves.

    Raises:
        UsageError: as in `kendall_tau`.

    >>> pearson_r([1, 2, 3], [10, 20, 60])
    0.944911182523068
    """
    first, second = score_lists(predicted, true)
    return float(pearson_rows(first[None], second[None])[0])


def spearman_rho(predicted: ArrayLike, true: ArrayLike) -> float:
    """Spearman's ρ: Pearson's correlation of the ranks, ties sharing their mean rank.

    Raises:
        UsageError: as in `kendall_tau`.

    >>> spearman_rho([1, 2, 3, 4], [1, 3, 2, 4])
    0.8
    """
    first, second = score_lists(predicted, true)
    return float(spearman_rows(dense_ranks(first)[None], dense_ranks(second)[None])[0])


def pearson_rows(first: Floats, second: Floats) -> Floats:
    """r (R,) of each row of scores (R, N); NaN where a row is constant."""
    x, y = _standardised(first), _standardised(second)
    r: Floats = np.einsum("rn,rn->r", x, y)
    return np.clip(r, -1.0, 1.0)


def spearman_rows(first: Ranks, second: Ranks) -> Floats:
    """ρ (R,) of each row of dense ranks (R, N); NaN where a row is constant."""
    return pearson_rows(mid_ranks(first), mid_ranks(second))


def _standardised(values: Floats) -> Floats:
    """Rows with mean 0 and length 1, by way of their range so that neither overflow nor underflow can happen."""
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    varies = high > low
    scaled = values / 2 - low / 2
    scaled = scaled / np.where(varies, high / 2 - low / 2, 1.0)
    scaled -= scaled.mean(axis=1, keepdims=True)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.where(varies, scaled / np.where(varies, length, 1.0), np.nan)
