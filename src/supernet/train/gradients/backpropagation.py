"""Plain backpropagation."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from supernet.train.executor import Executor
from supernet.train.move import Move
from supernet.train.step import Step


@dataclass(frozen=True)
class Backpropagation:
    """∇ of the weighted losses of all paths: what a move does that names no rule; see `Executor.backpropagate`."""

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]:
        return executor.backpropagate(move, step)
