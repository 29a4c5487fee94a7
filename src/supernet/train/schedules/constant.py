"""No schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.train.move import Path
from supernet.train.step import Step


@dataclass(frozen=True)
class Constant:
    """The base learning rate throughout."""

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        return 1.0
