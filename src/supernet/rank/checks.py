"""What every measure asks of its input, refused in one place."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet.errors import UsageError

Floats = NDArray[np.float64]

MIN_ARCHITECTURES = 3


class UndefinedError(UsageError):
    """A figure that these scores do not define, such as the τ of a constant ranking."""


def scores(values: ArrayLike, what: str, *, constant: bool = False) -> Floats:
    """One score per architecture (N,), float64.

    Args:
        values: The scores.
        what: Whose scores they are, for messages.
        constant: Whether scores that are all equal are accepted.

    Raises:
        UsageError: not a list of numbers, fewer than three, or a score that is not finite.
        UndefinedError: all scores are equal.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"The {what} scores must be numbers, one per architecture: {error}.") from error
    if array.ndim != 1:
        raise UsageError(
            f"The {what} scores must be a list (N,), one number per architecture; got an array of shape {array.shape}."
        )
    if len(array) < MIN_ARCHITECTURES:
        raise UsageError(
            f"A ranking needs at least {MIN_ARCHITECTURES} architectures; the {what} scores are of {len(array)}. "
            "Rank more architectures."
        )
    wrong = np.flatnonzero(~np.isfinite(array))
    if len(wrong):
        raise UsageError(
            f"{len(wrong)} of the {len(array)} {what} scores are not finite; the first is number {wrong[0]} "
            f"({array[wrong[0]]}). Leave these architectures out of both lists, or find out why they failed."
        )
    if not constant:
        check_varied(array, what)
    return array


def check_varied(values: Floats, what: str) -> None:
    """Raises `UndefinedError` where all scores (N,) are equal."""
    if (values == values[0]).all():
        raise UndefinedError(
            f"The {what} scores of all {len(values)} architectures are {values[0]:g}; a constant ranks nothing. "
            "Give scores that differ."
        )


def score_lists(predicted: ArrayLike, true: ArrayLike) -> tuple[Floats, Floats]:
    """Predicted and true scores (N,) of the same architectures.

    Raises:
        UsageError: a list is not usable (see `scores`), or they differ in length.
    """
    pair = scores(predicted, "predicted"), scores(true, "true")
    check_same_length(pair[0], pair[1], "predicted", "true")
    return pair


def check_same_length(first: Floats, second: Floats, first_name: str, second_name: str) -> None:
    """Raises `UsageError` unless both lists are of as many architectures."""
    if len(first) != len(second):
        raise UsageError(
            f"There are {len(first)} {first_name} and {len(second)} {second_name} scores; "
            "give both for the same architectures, in the same order."
        )


def check_k(k: int, n: int) -> None:
    """Raises `UsageError` unless 1 ≤ k ≤ n."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= n:
        raise UsageError(f"The top k of {n} architectures was asked for with k = {k!r}; k is an integer from 1 to {n}.")


def share_to_k(share: float, n: int) -> int:
    """Number of architectures in the top share of n: ⌈share · n⌉.

    Raises:
        UsageError: the share is not in (0, 1].
    """
    if not 0 < share <= 1:
        raise UsageError(f"The share of top architectures is {share!r}; it lies above 0 and is at most 1 (all).")
    return int(np.ceil(share * n - 1e-9))  # 0.07 · 100 is 7.000000000000001


def distribution(values: ArrayLike, size: int, what: str) -> Floats:
    """Probabilities (size,) as float64 that sum to 1 exactly.

    Raises:
        UsageError: another shape, a value that is negative or not finite, or a sum off by more than 10⁻⁵.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (size,):
        raise UsageError(f"For {what} {size} probabilities are needed; got an array of shape {array.shape}.")
    if not np.isfinite(array).all() or (array < 0).any():
        raise UsageError(f"The probabilities of {what} must be finite and at least 0; got {array.tolist()}.")
    if abs(array.sum() - 1) > 1e-5:
        raise UsageError(
            f"The probabilities of {what} sum to {array.sum():.6g} instead of 1. Architecture weights become "
            "probabilities by the relaxation of their method, for DARTS the softmax."
        )
    scaled: Floats = array / array.sum()
    return scaled
