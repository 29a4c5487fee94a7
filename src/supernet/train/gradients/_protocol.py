"""What a gradient rule promises."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from supernet.train.executor import Executor
from supernet.train.move import Move
from supernet.train.step import Step

__all__ = ["GradientRule"]


class GradientRule(Protocol):
    """Leaves a gradient on the parameters of the move's family, and returns the loss of each path."""

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]: ...
