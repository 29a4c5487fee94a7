"""A schedule times a constant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from supernet.train.alone import alone
from supernet.train.move import Path
from supernet.train.optimisers._protocol import check_number
from supernet.train.schedules._protocol import LearningRate
from supernet.train.step import Step


@dataclass(frozen=True)
class Scaled:
    """A factor times another schedule, such as for one of several phases.

    Args:
        factor: The factor, above 0.
        schedule: The schedule.
    """

    factor: float
    schedule: LearningRate

    def __post_init__(self) -> None:
        check_number("The factor of a schedule", self.factor, above=0)

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        return self.factor * self.schedule(step, paths)

    def alone(self) -> Scaled:
        """The factor times what the schedule is for one architecture."""
        return replace(self, schedule=alone(self.schedule))
