"""A rise before another schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from supernet.train.alone import alone
from supernet.train.move import Path
from supernet.train.schedules._protocol import LearningRate, check_share
from supernet.train.step import Step


@dataclass(frozen=True)
class Warmup:
    """Linear rise to 1 over the first share of the training, times another schedule.

    Args:
        share: Share of all steps spent rising, in [0, 1].
        then: The schedule that is multiplied in.
        start: The factor at the very first step, to which the rise adds as many equal parts as it has steps; None: it
            begins with the first of them, (t + 1) / W in step t of W.
    """

    share: float
    then: LearningRate
    start: float | None = None

    def __post_init__(self) -> None:
        check_share("The warm-up", self.share)
        if self.start is not None:
            check_share("The factor that the warm-up starts from", self.start)

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        steps = self.share * step.total
        if self.start is None:
            rise = (step.index + 1) / steps if steps > 0 else 1.0
        else:
            rise = self.start + (1 - self.start) * step.index / steps if steps > 0 else 1.0
        return min(1.0, rise) * self.then(step, paths)

    def alone(self) -> Warmup:
        """The same rise, times what the other schedule is for one architecture."""
        return replace(self, then=alone(self.then))
