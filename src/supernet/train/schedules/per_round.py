"""A schedule that goes on from round to round of a federation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from supernet.errors import UsageError
from supernet.train.alone import alone
from supernet.train.federation.standing import standing
from supernet.train.move import Path
from supernet.train.schedules._protocol import LearningRate
from supernet.train.step import Step


@dataclass(frozen=True)
class PerRound:
    """Another schedule, whose steps are the rounds of a federation: all steps of a round have one learning rate.

    Args:
        schedule: The schedule, such as `Warmup(10 / 500, Cosine())` for ten of 500 rounds.

    Raises:
        UsageError: in a training without rounds.
    """

    schedule: LearningRate

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        now = standing(step)
        if now is None:
            raise UsageError(
                "A learning rate was to change from round to round, but this training has no rounds. Give the schedule "
                "without PerRound, or train by FederatedRounds."
            )
        done, total = int(now["round"]), int(now["rounds"])
        return self.schedule(replace(step, index=done, total=total, start=step.done - done), paths)

    def alone(self) -> LearningRate:
        """The schedule itself, over the steps of the training."""
        return alone(self.schedule)
