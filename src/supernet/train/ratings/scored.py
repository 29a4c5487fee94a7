"""What a score gives (ABS rates by the angle)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from supernet.measure.scores.score import Score, Subnet, scored
from supernet.space import Arch
from supernet.train.step import Step


@dataclass(frozen=True)
class Scored:
    """What a score gives to an architecture with the present weights, of those to be maximised its negative.

    Args:
        score: The score, such as `Angle()`.
    """

    score: Score

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        sign = -1 if self.score.goal == "max" else 1
        kept: dict[Any, Any] = {}
        return [sign * scored(self.score, Subnet(step.net, arch, step.parts, kept)) for arch in archs]
