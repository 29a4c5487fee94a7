"""Checks of the sizes that layers are declared with, and of the inputs they meet."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from supernet.errors import UsageError
from supernet.space import Expr


def check_size(label: str, size: Expr | int, *, minimum: int = 1) -> tuple[int, ...]:
    """Every value a declared size can take, sorted.

    Raises:
        UsageError: one of them is not a whole number, or is below `minimum`.
    """
    values: tuple[Any, ...] = size.possible() if isinstance(size, Expr) else (size,)
    wrong = [value for value in values if not _is_whole(value, derived=isinstance(size, Expr)) or value < minimum]
    if wrong:
        raise UsageError(
            f"The {label} {size} can be {', '.join(map(repr, wrong))}; it must be a whole number of at least "
            f"{minimum}. Give an integer, a Choice of integers, or an expression such as round_to(width * 0.5, 8)."
        )
    return tuple(int(value) for value in values)


def check_width(given: int, expected: int, what: str) -> None:
    """Check the input width of a layer while it runs.

    Raises:
        UsageError: it is not what the active architecture says.
    """
    if given != expected:
        raise UsageError(
            f"An elastic {what} got {given} input channels where the active architecture has {expected}. Pass the "
            "same choice (or expression) to the layer that makes the input and to this one."
        )


def _is_whole(value: Any, *, derived: bool) -> bool:
    """A quotient such as 24 / 2 is the float 12.0; written by hand a size is an integer."""
    return isinstance(value, Integral) or (derived and isinstance(value, float) and value.is_integer())
