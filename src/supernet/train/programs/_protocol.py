"""What a program promises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from torch import Tensor

from supernet.nn import Supernet
from supernet.train.move import Move, Step
from supernet.train.parametrisations.option_logits import ArchitectureParameters

__all__ = ["Program"]


@runtime_checkable
class WeighsOptions(Protocol):
    """A program that learns how much each option counts."""

    def probabilities(self, architecture: ArchitectureParameters) -> dict[str, Tensor]:
        """How strongly each option is taken, by choice name (O,), as it was trained."""
        ...


class Program(Protocol):
    """Says which moves a step consists of. A move is carried out before the next one is asked for."""

    learns_architecture: bool

    def check(self, net: Supernet) -> None:
        """Raise a UsageError if the program makes no sense for this supernet."""
        ...

    def moves(self, step: Step) -> Iterator[Move]:
        """The moves of one step."""
        ...
