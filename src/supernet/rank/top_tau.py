"""Kendall's τ among the best architectures only."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from supernet.errors import UsageError
from supernet.rank.checks import MIN_ARCHITECTURES, Floats, score_lists, share_to_k
from supernet.rank.kendall import tau_rows
from supernet.rank.ranks import Ranks, dense_ranks
from supernet.rank.top import in_top


def tau_in_true_top(predicted: ArrayLike, true: ArrayLike, share: float) -> float:
    """τ-b among the architectures that are truly in the top share: can the good be told apart?

    These are all with at least the ⌈share · N⌉-th best true score. The set does not depend on the prediction, so the
    figure can be compared between supernets.

    Args:
        predicted: Predicted scores (N,).
        true: True scores (N,).
        share: In (0, 1]; 0.05 is the top 5 %.

    Raises:
        UsageError: as in `kendall_tau`; or the top holds fewer than three architectures, or equal scores only.
    """
    return _tau_in_top(predicted, true, share, "true")


def tau_in_predicted_top(predicted: ArrayLike, true: ArrayLike, share: float) -> float:
    """τ-b among the architectures that are *predicted* to be in the top share: can the ranking choose among its own
    favourites?

    The set is another for each supernet: it is what a search gets to see, but no common ground for a comparison.

    Args:
        predicted: Predicted scores (N,).
        true: True scores (N,).
        share: In (0, 1]; 0.05 is the top 5 %.

    Raises:
        UsageError: as in `tau_in_true_top`.
    """
    return _tau_in_top(predicted, true, share, "predicted")


def _tau_in_top(predicted: ArrayLike, true: ArrayLike, share: float, by: str) -> float:
    first, second = score_lists(predicted, true)
    k = share_to_k(share, len(first))
    inside = in_top(second if by == "true" else first, k)
    if inside.sum() < MIN_ARCHITECTURES:
        raise UsageError(
            f"The {by} top {share:.3g} of {len(first)} architectures holds {inside.sum()}; "
            f"τ needs at least {MIN_ARCHITECTURES}. Take a larger share, or rank more architectures."
        )
    tau = tau_rows(dense_ranks(first[inside])[None], dense_ranks(second[inside])[None])[0]
    if np.isnan(tau):
        raise UsageError(
            f"The {inside.sum()} architectures of the {by} top {share:.3g} have equal predicted or equal true scores, "
            "so τ is undefined among them. Take a larger share."
        )
    return float(tau)


def tau_in_true_top_rows(predicted: Ranks, true: Ranks, k: int) -> Floats:
    """τ-b (R,) within the true top k of each row of ranks (R, N); NaN where undefined."""
    return tau_rows(predicted, true, in_top(true, k))


def tau_in_predicted_top_rows(predicted: Ranks, true: Ranks, k: int) -> Floats:
    """τ-b (R,) within the predicted top k of each row of ranks (R, N); NaN where undefined."""
    return tau_rows(predicted, true, in_top(predicted, k))
