"""Cross-entropy with the labels."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from supernet.errors import UsageError
from supernet.train.move import Outcome


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy with the labels.

    Args:
        label_smoothing: Share of the target spread evenly over the classes.
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise UsageError(f"The label smoothing is {self.label_smoothing}; it must lie in [0, 1).")

    def chance(self, of_task: float) -> float:
        """That of the task, whatever the smoothing: the loss of equal probabilities is the same for every target."""
        return of_task

    def __call__(self, outcome: Outcome) -> Tensor:
        task = outcome.step.task
        return task.loss(outcome.output, outcome.batch, label_smoothing=self.label_smoothing)
