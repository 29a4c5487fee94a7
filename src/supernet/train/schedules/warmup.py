"""A rise before another schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.train.alone import alone
from supernet.train.move import Path, Step
from supernet.train.schedules._protocol import LearningRate, check_share


@dataclass(frozen=True)
class Warmup:
    """Linear rise to 1 over the first share of the training, times another schedule.

    Args:
        share: Share of all steps spent rising, in [0, 1].
        then: The schedule that is multiplied in.
    """

    share: float
    then: LearningRate

    def __post_init__(self) -> None:
        check_share("The warm-up", self.share)

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        steps = self.share * step.total
        rise = min(1.0, (step.index + 1) / steps) if steps > 0 else 1.0
        return rise * self.then(step, paths)

    def alone(self) -> Warmup:
        """The same rise, times what the other schedule is for one architecture."""
        return Warmup(self.share, alone(self.then))
