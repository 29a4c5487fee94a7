"""The best path on a board (Cream)."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.context import Context
from supernet.train.parts.path_board import PathBoard


@dataclass(frozen=True)
class BestOnBoard:
    """The first path on the board: no search after the training.

    Cream, [arXiv 2010.15821](https://arxiv.org/abs/2010.15821), §3.1. Of a training that was stopped before any path
    came onto the board it is the smallest architecture, which the rest of the training replaces.

    Args:
        part: The name of the board among the parts of the recipe.
    """

    part: str = "board"

    def check(self, net: Supernet) -> None:
        """Any space will do."""

    def derive(self, context: Context) -> Arch:
        """The path."""
        space = context.step.space
        found = context.step.part(self.part, PathBoard).within(space)
        return found[0][0] if found else space.smallest()
