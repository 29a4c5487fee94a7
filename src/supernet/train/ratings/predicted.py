"""What a predictor says (AttentiveNAS)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from supernet.space import Arch
from supernet.train.step import Step

Predictor: TypeAlias = Callable[[Sequence[Arch]], Sequence[float]]
"""Scores of architectures, the higher the better."""


@dataclass(frozen=True)
class Predicted:
    """What a predictor says, without running the supernet (AttentiveNAS with an accuracy predictor, see `Learned`).

    Args:
        scores: A function from architectures to as many scores, the higher the better, which must depend on them alone.
    """

    scores: Predictor

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        return [-float(score) for score in self.scores(archs)]
