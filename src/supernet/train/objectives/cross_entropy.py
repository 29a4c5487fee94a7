"""Cross-entropy with the labels."""

from __future__ import annotations

import math
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

    def chance(self, num_classes: int) -> float:
        """ln K, whatever the smoothing: the loss of equal probabilities is the same for every target."""
        return math.log(num_classes)

    def __call__(self, outcome: Outcome) -> Tensor:
        task = outcome.step.task
        return task.loss(outcome.output, outcome.batch, label_smoothing=self.label_smoothing)
