"""Checks that the builders share."""

from __future__ import annotations

from collections.abc import Sequence

from supernet.errors import UsageError


def check_at_least_one(**sizes: int) -> None:
    """Check sizes given as keywords, which name them in the message.

    Raises:
        UsageError: one is not a whole number of at least 1.
    """
    for name, size in sizes.items():
        check_whole(name, size)


def check_whole(name: str, size: int) -> None:
    """Check one size.

    Raises:
        UsageError: it is not a whole number of at least 1.
    """
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise UsageError(f"{name} is {size!r}; it must be a whole number of at least 1.")


def check_dropout(probability: float) -> None:
    """Check a dropout probability.

    Raises:
        UsageError: it is not from 0 to below 1.
    """
    if not isinstance(probability, int | float) or not 0 <= probability < 1:
        raise UsageError(f"The dropout is {probability!r}; give a probability from 0 to below 1.")


def check_operations(operations: Sequence[str], known: Sequence[str]) -> None:
    """Check which of a space's operations it is to be built with.

    Raises:
        UsageError: there are none, one is unknown, or one is there twice.
    """
    if not operations or not set(operations) <= set(known) or len(set(operations)) < len(operations):
        raise UsageError(f"The operations are {tuple(operations)}; give some of {tuple(known)}, each once.")
