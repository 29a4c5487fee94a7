"""A line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.train.move import Path
from supernet.train.schedules._protocol import check_share
from supernet.train.step import Step


@dataclass(frozen=True)
class Linear:
    """From 1 to `floor` along a line: 1 − (1 − floor) t / T."""

    floor: float = 0.0

    def __post_init__(self) -> None:
        check_share("The floor of the learning rate", self.floor)

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        return 1 - (1 - self.floor) * step.progress
