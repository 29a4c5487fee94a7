"""A value that changes once."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.train.optimisers._protocol import check_number
from supernet.train.step import Step


@dataclass(frozen=True)
class Jump:
    """A value that is one number at first, and another from a share of the phase on.

    Args:
        before: The value at first.
        after: The value from then on.
        at: The share of the phase, in (0, 1), at which it changes.

    Raises:
        UsageError: a number that is not finite, or a share outside its range.
    """

    before: float
    after: float
    at: float

    def __post_init__(self) -> None:
        check_number("The value before the jump", self.before)
        check_number("The value after the jump", self.after)
        if not 0 < self.at < 1:
            raise UsageError(f"A value was to change at the share {self.at} of the training; give one in (0, 1).")

    @property
    def ends(self) -> tuple[float, float]:
        """The first and the last value."""
        return self.before, self.after

    def __call__(self, step: Step) -> float:
        """The value at this step."""
        return self.before if step.progress < self.at else self.after
