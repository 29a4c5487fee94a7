"""What a program promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.context import Moves
from supernet.train.step import Step

__all__ = ["Program"]


@runtime_checkable
class WeighsOptions(Protocol):
    """A program that learns how much each option counts."""

    def probabilities(self, parts: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """How strongly each option is taken, by choice name (O,), as it was trained.

        Args:
            parts: The modules beside the supernet, as trained.
        """
        ...


@runtime_checkable
class TrainsOne(Protocol):
    """A program that makes several moves also where one architecture is trained alone."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The families that its moves change beside the weights."""
        ...

    def for_one(self, arch: Arch) -> Program:
        """The program for one architecture that is trained alone, which steps the same families."""
        ...


class Program(Protocol):
    """Says which moves and edits a step consists of. Each is carried out before the next one is asked for."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The families that its moves change beside the weights: parts of the recipe, by name."""
        ...

    def check(self, net: Supernet) -> None:
        """Raise a UsageError if the program makes no sense for this supernet."""
        ...

    def moves(self, step: Step) -> Moves:
        """The moves and edits of one step."""
        ...
