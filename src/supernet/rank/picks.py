"""What a search would get that trains the predicted best k and keeps the best of them.

Where equal predictions compete for the last places, these are drawn at random, and the expectation is returned: a
prediction that cannot tell architectures apart gets no credit for luck.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from supernet.rank.checks import Floats, check_k, score_lists
from supernet.rank.top import first_k


def best_of_top_k(predicted: ArrayLike, true: ArrayLike, k: int) -> float:
    """Expected best true score among the predicted top k, in the unit of the true scores.

    Raises:
        UsageError: as in `top_id_rate`.

    >>> best_of_top_k([3, 2, 1], [91.0, 93.0, 94.0], k=2)
    93.0
    """
    first, second = score_lists(predicted, true)
    check_k(k, len(first))
    return expected_best(first, second, k)


def regret(predicted: ArrayLike, true: ArrayLike, k: int = 1) -> float:
    """The best true score of all minus `best_of_top_k`: what trusting the prediction costs. 0 is perfect.

    Raises:
        UsageError: as in `top_id_rate`.

    >>> regret([3, 2, 1], [91.0, 93.0, 94.0])
    3.0
    """
    return float(np.max(true)) - best_of_top_k(predicted, true, k)


def best_rank_at_k(predicted: ArrayLike, true: ArrayLike, k: int) -> float:
    """N@k (Ning et al., NeurIPS 2021): expected best true rank among the predicted top k. 1 is perfect.

    The true rank is 1 + the number of architectures with a better true score; equal ones share it.

    Raises:
        UsageError: as in `top_id_rate`.

    >>> best_rank_at_k([3, 2, 1], [91.0, 93.0, 94.0], k=2)
    2.0
    """
    first, second = score_lists(predicted, true)
    check_k(k, len(first))
    return -expected_best(first, -first_k(second).astype(np.float64), k)


def expected_best(predicted: Floats, worth: Floats, k: int) -> float:
    """Expected largest worth of the k best predicted, those at the threshold drawn at random."""
    threshold = np.partition(predicted, len(predicted) - k)[len(predicted) - k]
    sure = worth[predicted > threshold]
    tied = np.sort(worth[predicted == threshold])[::-1]
    drawn = k - len(sure)
    if len(sure):
        tied = np.maximum(tied, sure.max())
    # The largest of `drawn` out of g is the r-th best (from 0) with probability C(g-1-r, drawn-1) / C(g, drawn).
    left = len(tied) - np.arange(len(tied) - drawn, dtype=np.float64)
    none_before = np.append(1.0, np.cumprod(1 - drawn / left))
    chance = none_before * np.append(drawn / left, 1.0)
    return min(float(chance @ tied[: len(chance)]), float(tied[0]))  # rounding must not exceed the best there is
