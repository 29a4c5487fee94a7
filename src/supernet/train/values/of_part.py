"""A value that counts from the beginning of a part of a longer training."""

from __future__ import annotations

from dataclasses import dataclass, replace

from supernet.errors import UsageError
from supernet.train.step import Step
from supernet.train.values._protocol import Value


@dataclass(frozen=True)
class OfPart:
    """A value that sees a part of a longer training as a training of its own.

    A phase that is a `Phase.part` counts its steps, for all schedules, as the longer training does. This is for what is
    to begin and end with the phase nevertheless.

    Args:
        value: What gives the value, for steps from the beginning of the part to its end.
        begin: The share of the longer training at which the part begins.
        end: The share at which it ends.

    Raises:
        UsageError: the shares are not between 0 and 1, or out of order.
    """

    value: Value
    begin: float
    end: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.begin < self.end <= 1:
            raise UsageError(
                f"A part of a training goes from {self.begin} to {self.end}; give two shares between 0 and 1, the "
                "smaller one first."
            )

    def __call__(self, step: Step) -> float:
        """The value at this step of the longer training."""
        first, last = round(self.begin * step.total), round(self.end * step.total)
        total = max(1, last - first)
        index = min(max(step.index - first, 0), total - 1)
        return self.value(replace(step, index=index, total=total, start=step.done - index))
