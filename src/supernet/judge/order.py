"""Order-preserving ability, global and local (Zhang et al., "Supernet shifting", CVPR 2024, section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet.errors import UsageError
from supernet.judge.checks import MIN_ARCHITECTURES, check_same_length, scores, share_to_k
from supernet.judge.tau import kendall_tau
from supernet.judge.top import in_top


@dataclass(frozen=True)
class OrderPreservation:
    """How a supernet orders good and poor architectures.

    Attributes:
        found: Global order: how many of its top G are good, with G the number of good ones; expected value where
            equal predictions compete for the last places.
        good: Number of good architectures G.
        poor: Number of poor ones.
        by_chance: What a random order would find: G² / (G + poor).
        local_tau: Local order: Kendall's τ-b among the good ones.
    """

    found: float
    good: int
    poor: int
    by_chance: float
    local_tau: float


def order_preservation(
    predicted: ArrayLike, true: ArrayLike, *, good: Sequence[int], poor: Sequence[int]
) -> OrderPreservation:
    """Can the supernet tell good from poor architectures (global order), and good ones from each other (local order)?

    The paper takes 10 good and 20 random, poorer ones.

    Args:
        predicted: Supernet scores (N,).
        true: True scores (N,).
        good: Rows of the good architectures.
        poor: Rows of the poor ones.

    Raises:
        UsageError: scores that are not usable; rows outside, repeated or in both lists; fewer than three good or no
            poor ones; a good architecture that is not truly better than every poor one; equal predictions of all good
            ones, or equal true scores.
    """
    # Of all N: among the chosen ones a list may well be constant, which is told below.
    first, truth = scores(predicted, "predicted"), scores(true, "true")
    check_same_length(first, truth, "predicted", "true")
    rows = [*good, *poor]
    if len(good) < MIN_ARCHITECTURES or not poor or len(set(rows)) < len(rows):
        raise UsageError(
            f"{len(good)} good and {len(poor)} poor architectures were given; give at least three good ones and one "
            "poor one, each only once."
        )
    if min(rows) < 0 or max(rows) >= len(truth):
        raise UsageError(f"The rows lie between {min(rows)} and {max(rows)}; there are 0 to {len(truth) - 1}.")
    best, rest = list(good), list(poor)
    if truth[best].min() <= truth[rest].max():
        raise UsageError(
            f"The worst good architecture has the true score {truth[best].min():g}, the best poor one "
            f"{truth[rest].max():g}; every good one must be better than every poor one. Choose others."
        )
    threshold = np.sort(first[rows])[-len(good)]
    sure = int((first[best] > threshold).sum())
    tied = first[rows] == threshold
    free = len(good) - int((first[rows] > threshold).sum())
    found = sure + free * int((first[best] == threshold).sum()) / int(tied.sum())
    tau = kendall_tau(first[best], truth[best])
    return OrderPreservation(found, len(good), len(poor), len(good) ** 2 / len(rows), tau)


def draw_good_and_poor(
    true: ArrayLike, rng: np.random.Generator, *, good: int = 10, poor: int = 20, share: float = 0.05
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of good architectures, drawn from the true top share, and of poor ones, drawn from all others.

    Args:
        true: True scores (N,).
        rng: Source of randomness.
        good: Number of good ones.
        poor: Number of poor ones.
        share: Size of the top, in (0, 1].

    Raises:
        UsageError: scores that are not usable, or too few architectures for such numbers.
    """
    truth = scores(true, "true")
    top = in_top(truth, share_to_k(share, len(truth)))
    if not 1 <= good <= top.sum() or not 1 <= poor <= (~top).sum():
        raise UsageError(
            f"{good} good and {poor} poor architectures were to be drawn; the top {100 * share:g} % holds {top.sum()} "
            f"and the rest {(~top).sum()}. Ask for fewer, or change the share."
        )
    return rng.choice(np.flatnonzero(top), good, replace=False), rng.choice(np.flatnonzero(~top), poor, replace=False)
