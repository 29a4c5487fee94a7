"""What a schedule promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from supernet.errors import UsageError
from supernet.train.move import Path
from supernet.train.step import Step

__all__ = ["LearningRate"]


class LearningRate(Protocol):
    """A factor on the base learning rate, given where training stands and which paths are about to be updated.

    `OnLoss` applies it to the loss of each path instead.
    """

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        """The factor for this update."""
        ...


def check_share(what: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise UsageError(f"{what} is a share in [0, 1]; got {share}.")
