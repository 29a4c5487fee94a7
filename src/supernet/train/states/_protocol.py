"""Which paths share the optimiser's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from supernet.train.move import Path
from supernet.train.step import Step

__all__ = ["StateGroups"]


class StateGroups(Protocol):
    """Sorts paths into groups; each has its own optimiser state over the same parameters."""

    def group(self, step: Step, paths: Sequence[Path]) -> int:
        """The group of the paths of an update, from 0."""
        ...
