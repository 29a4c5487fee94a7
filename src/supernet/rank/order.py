"""Order-preserving ability, global and local (Zhang et al., "Supernet shifting", CVPR 2024, section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet.errors import UsageError
from supernet.rank.checks import MIN_ARCHITECTURES, Floats, check_same_length, scores, share_to_k
from supernet.rank.measures import in_top, kendall_tau


@dataclass(frozen=True)
class OrderPreservation:
    """How a supernet orders good and poor architectures.

    Attributes:
        found: Global order: how many of its top G are good, with G the number of good ones; expected value where
            equal predictions compete for the last places.
        good: Number of good architectures G.
        poor: Number of poor architectures.
        by_chance: What a random order would find: G² / (G + poor).
        local_tau: Local order: Kendall's τ-b among the good ones; None where the supernet scores them all the same.
    """

    found: float
    good: int
    poor: int
    by_chance: float
    local_tau: float | None


def order_preservation(
    predicted: ArrayLike, true: ArrayLike, *, good: Sequence[int], poor: Sequence[int]
) -> OrderPreservation:
    """Can the supernet tell good from poor architectures (global order), and good ones from each other (local order)?

    The paper takes 10 good and 20 random, poorer ones.

    Args:
        predicted: Scores (N,) with the supernet's weights, the higher the better.
        true: True scores (N,), the higher the better.
        good: Rows of the good architectures.
        poor: Rows of the poor ones.

    Raises:
        UsageError: scores that are not usable; rows outside, repeated or in both lists; fewer than three good or no
            poor ones; a good architecture that is not truly better than every poor one; equal true scores of all
            good ones.
    """
    # Of all N: among the chosen ones a list may well be constant, which is told below.
    first, truth = scores(predicted, "predicted"), scores(true, "true")
    check_same_length(first, truth, "predicted", "true")
    rows = [*good, *poor]
    if rows and (min(rows) < 0 or max(rows) >= len(truth)):
        raise UsageError(f"The rows lie between {min(rows)} and {max(rows)}; there are 0 to {len(truth) - 1}.")
    if len(set(rows)) < len(rows):
        raise UsageError("Some architectures were given as good or poor more than once; give each only once.")
    return order_along(first[rows][None], truth[rows], good=len(good))[0]


def order_along(predicted: ArrayLike, true: ArrayLike, *, good: int) -> list[OrderPreservation]:
    """Global and local order of the same architectures in each of G generations, whose weights may differ.

    Args:
        predicted: Supernet scores (G, N), the good architectures first; equal ones are allowed.
        true: True scores (N,), the higher the better.
        good: Number of good architectures, which come first.

    Raises:
        UsageError: shapes that do not fit, scores that are not finite; fewer than three good architectures or no poor
            one; a good one that is not truly better than every poor one; equal true scores of all good ones.
    """
    truth, rows = np.asarray(true, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if truth.ndim != 1 or rows.ndim != 2 or rows.shape[1] != len(truth):
        raise UsageError(
            f"The predicted scores have the shape {rows.shape} and the true ones {truth.shape}; give (G, N), a row for "
            "each generation, and (N,)."
        )
    poor = len(truth) - good
    if good < MIN_ARCHITECTURES or poor < 1:
        raise UsageError(
            f"{good} good and {poor} poor architectures were given; give at least three good ones and one poor one."
        )
    if not (np.isfinite(truth).all() and np.isfinite(rows).all()):
        raise UsageError("Some of the predicted or true scores are not finite; leave these architectures out.")
    if truth[:good].min() <= truth[good:].max():
        raise UsageError(
            f"The worst good architecture has the true score {truth[:good].min():g}, the best poor one "
            f"{truth[good:].max():g}; every good one must be better than every poor one. Choose others."
        )
    scores(truth[:good], "true")  # refuses equal ones, among which there is no order to preserve
    by_chance = good**2 / len(truth)
    return [OrderPreservation(_found(row, good), good, poor, by_chance, _tau(row[:good], truth[:good])) for row in rows]


def _found(row: Floats, good: int) -> float:
    """Expected number of good ones among the first `good` of a row (N,), ties broken at random."""
    threshold = np.sort(row)[-good]
    tied = row == threshold
    free = good - int((row > threshold).sum())
    return float((row[:good] > threshold).sum() + free * tied[:good].sum() / tied.sum())


def _tau(predicted: Floats, true: Floats) -> float | None:
    return None if (predicted == predicted[0]).all() else kendall_tau(predicted, true)


def draw_good_and_poor(
    true: ArrayLike, rng: np.random.Generator, *, good: int = 10, poor: int = 20, share: float = 0.05
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of good architectures, drawn from the true top share, and of poor ones, drawn from all others.

    Args:
        true: True scores (N,), the higher the better.
        rng: The generator that they are drawn with.
        good: Number of good architectures.
        poor: Number of poor architectures.
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
