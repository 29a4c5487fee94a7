"""A rise, and another schedule over what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from supernet.train.alone import alone
from supernet.train.move import Path
from supernet.train.schedules._protocol import LearningRate, check_share
from supernet.train.step import Step


@dataclass(frozen=True)
class WarmupThen:
    """Linear rise from `start` to 1 over the first share of the training; the other schedule begins at its end (OFA).

    Unlike `Warmup`, the other schedule runs over the steps that are left, and is not multiplied.

    Args:
        share: Share of all steps spent rising, in [0, 1].
        then: The schedule that follows.
        start: The factor that the rise begins above.
    """

    share: float
    then: LearningRate
    start: float = 0.0

    def __post_init__(self) -> None:
        check_share("The warm-up", self.share)
        check_share("The start of the warm-up", self.start)

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        steps = round(self.share * step.total)
        if step.index < steps:
            return self.start + (1 - self.start) * (step.index + 1) / steps
        left = replace(step, index=step.index - steps, total=step.total - steps, start=step.start + steps)
        return self.then(left, paths)

    def alone(self) -> WarmupThen:
        """The same rise before what the other schedule is for one architecture."""
        return replace(self, then=alone(self.then))
