"""A schedule that acts on losses in place of the learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.train.alone import alone
from supernet.train.move import Path
from supernet.train.schedules._protocol import LearningRate
from supernet.train.step import Step


@dataclass(frozen=True)
class OnLoss:
    """Multiplies the loss of each path by a schedule and leaves the learning rate as it is.

    For plain SGD without weight decay that is the same as scaling the learning rate of a single path. Otherwise it
    differs: weight decay is not annealed, momentum keeps gradients at the factor they were computed with, clipping
    sees the scaled gradient, and every path of a move has a factor of its own.

    Args:
        schedule: The factor, of one path.
    """

    schedule: LearningRate

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        return 1.0

    def alone(self) -> LearningRate:
        """The schedule on the learning rate: a lone path has no others to be weighed against."""
        return alone(self.schedule)
