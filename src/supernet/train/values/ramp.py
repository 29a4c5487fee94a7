"""A value that goes from one number to another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from supernet.errors import UsageError
from supernet.train.step import Step

Shape: TypeAlias = Literal["linear", "cosine", "exponential", "sigmoid"]


@dataclass(frozen=True)
class Ramp:
    """A value that goes from one number to another.

    Args:
        start: The value at the share `begin` of the phase, and before it.
        end: The value at the share `until` of the phase, and after it.
        shape: How it goes there: `"linear"`, along half a `"cosine"`, by equal factors (`"exponential"`), or as
            exp(−5 (1 − x)²) rises (`"sigmoid"`, the ramp-up of mean teachers; it leaves `start` with a small step).
        begin: The share of the phase, in [0, 1), at which it leaves `start`.
        until: The share of the phase, in (0, 1], at which it has reached `end`.

    Raises:
        UsageError: a number that is not finite, an unknown shape, shares out of order, or an exponential way between
            numbers that are not both positive.
    """

    start: float
    end: float
    shape: Shape = "linear"
    begin: float = 0.0
    until: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise UsageError(f"A value cannot go from {self.start} to {self.end}; give finite numbers.")
        if self.shape not in get_args(Shape):
            raise UsageError(f"A value goes along one of {get_args(Shape)}; got {self.shape!r}.")
        if not 0 <= self.begin < self.until <= 1:
            raise UsageError(
                f"A value cannot go from the share {self.begin} of the training to {self.until}; give two shares in "
                "[0, 1], the smaller one first."
            )
        if self.shape == "exponential" and not (self.start > 0 and self.end > 0):
            raise UsageError(
                f"An exponential way goes between positive numbers; got {self.start} and {self.end}. Take a small "
                "positive one instead of 0."
            )

    @property
    def ends(self) -> tuple[float, float]:
        """The first and the last value."""
        return self.start, self.end

    def __call__(self, step: Step) -> float:
        """The value at this step; the last step of a whole phase has `end`."""
        share = step.index / max(1, step.total - 1)
        way = min(1.0, max(0.0, (share - self.begin) / (self.until - self.begin)))
        if self.shape == "exponential":
            return self.start * math.pow(self.end / self.start, way)
        if self.shape == "cosine":
            way = (1 - math.cos(math.pi * way)) / 2
        if self.shape == "sigmoid" and way > 0:
            way = math.exp(-5 * (1 - way) ** 2)
        return self.start + (self.end - self.start) * way
