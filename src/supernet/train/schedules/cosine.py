"""Half a cosine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from supernet.train.move import Path
from supernet.train.schedules._protocol import check_share
from supernet.train.step import Step


@dataclass(frozen=True)
class Cosine:
    """From 1 to `floor` along half a cosine: floor + (1 − floor)(1 + cos(π t / T)) / 2."""

    floor: float = 0.0

    def __post_init__(self) -> None:
        check_share("The floor of the learning rate", self.floor)

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * step.progress)) / 2
