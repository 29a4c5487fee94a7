"""A value that changes from epoch to epoch only."""

from __future__ import annotations

from dataclasses import dataclass, replace

from supernet.train.step import Step
from supernet.train.values._protocol import Value


@dataclass(frozen=True)
class PerEpoch:
    """A value that changes from epoch to epoch only, as released code often has it.

    Args:
        value: What gives it, counting epochs instead of steps.
    """

    value: Value

    @property
    def ends(self) -> tuple[float, ...]:
        """The first and the last value, where they are known."""
        return tuple(getattr(self.value, "ends", ()))

    def __call__(self, step: Step) -> float:
        """The value at this epoch; the last epoch of a whole phase has that of its last step."""
        epochs = max(1, step.total // step.steps_per_epoch)
        return self.value(replace(step, index=min(step.index // step.steps_per_epoch, epochs - 1), total=epochs))
