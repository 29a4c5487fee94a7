"""Factors on the learning rate over a training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from supernet.errors import UsageError
from supernet.train.alone import alone
from supernet.train.move import Path, Step


class LearningRate(Protocol):
    """A factor on the base learning rate, given where training stands and which paths are about to be updated.

    `OnLoss` applies it to the loss of each path instead.
    """

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        """The factor for this update."""
        ...


@dataclass(frozen=True)
class Constant:
    """The base learning rate throughout."""

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        return 1.0


@dataclass(frozen=True)
class Linear:
    """From 1 to `floor` along a line: 1 − (1 − floor) t / T."""

    floor: float = 0.0

    def __post_init__(self) -> None:
        _check_share("The floor of the learning rate", self.floor)

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        return 1 - (1 - self.floor) * step.progress


@dataclass(frozen=True)
class Cosine:
    """From 1 to `floor` along half a cosine: floor + (1 − floor)(1 + cos(π t / T)) / 2."""

    floor: float = 0.0

    def __post_init__(self) -> None:
        _check_share("The floor of the learning rate", self.floor)

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * step.progress)) / 2


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
        _check_share("The warm-up", self.share)

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        steps = self.share * step.total
        rise = min(1.0, (step.index + 1) / steps) if steps > 0 else 1.0
        return rise * self.then(step, paths)

    def alone(self) -> Warmup:
        """The same rise, times what the other schedule is for one architecture."""
        return Warmup(self.share, alone(self.then))


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


def _check_share(what: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise UsageError(f"{what} is a share in [0, 1]; got {share}.")
