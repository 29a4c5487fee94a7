"""What every measure asks of its input, refused in one place."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet.errors import UsageError

Floats = NDArray[np.float64]

MIN_ARCHITECTURES = 3


def scores(values: ArrayLike, what: str) -> Floats:
    """One score per architecture (N,), float64.

    Raises:
        UsageError: not a list of numbers, fewer than three, one that is not finite, or all equal.
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
            f"A ranking needs at least {MIN_ARCHITECTURES} architectures; the {what} scores are of {len(array)}."
        )
    wrong = np.flatnonzero(~np.isfinite(array))
    if len(wrong):
        raise UsageError(
            f"{len(wrong)} of the {len(array)} {what} scores are not finite; the first is number {wrong[0]} "
            f"({array[wrong[0]]}). Leave these architectures out of both lists, or find out why they failed."
        )
    if (array == array[0]).all():
        raise UsageError(
            f"The {what} scores of all {len(array)} architectures are {array[0]:g}; a constant ranks nothing. "
            "Give scores that differ."
        )
    return array


def score_lists(predicted: ArrayLike, true: ArrayLike) -> tuple[Floats, Floats]:
    """Predicted and true scores (N,) of the same architectures.

    Raises:
        UsageError: one of them is not usable (see `scores`), or they differ in length.
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
