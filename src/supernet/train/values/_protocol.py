"""Values over time: a temperature, a weight or a rate that may change along a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

from supernet.train.optimisers._protocol import check_number
from supernet.train.step import Step

__all__ = ["Value"]


class Value(Protocol):
    """A number that depends on where the training stands."""

    def __call__(self, step: Step) -> float: ...


Number: TypeAlias = float | Value
"""What every temperature, weight, radius and rate may be."""


def value_of(number: Number, step: Step) -> float:
    """The number at this step."""
    return number(step) if callable(number) else number


def settings_of(settings: Mapping[str, Number], step: Step) -> dict[str, float]:
    """All numbers of a mapping at this step."""
    return {name: value_of(number, step) for name, number in settings.items()}


def check_value(
    what: str,
    number: Number,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
) -> None:
    """Raise a UsageError for a number outside its range; of one that changes both ends are looked at.

    >>> from supernet.train import Ramp
    >>> check_value("The temperature", Ramp(10.0, 0.0), above=0)
    Traceback (most recent call last):
    ...
    supernet.errors.UsageError: The temperature is 0.0; it must be a finite number above 0.
    """
    numbers = getattr(number, "ends", ()) if callable(number) else (number,)
    for value in numbers:
        check_number(what, value, at_least=at_least, above=above, at_most=at_most)
