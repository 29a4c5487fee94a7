"""What a piece becomes where one architecture is trained alone."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, runtime_checkable

Piece = TypeVar("Piece")


@runtime_checkable
class TellsSubnetsApart(Protocol):
    """A piece that treats the subnets of a supernet differently, and knows what it is for one of them alone."""

    def alone(self) -> Any:
        """The piece of the same kind for one architecture that is trained alone."""
        ...


@runtime_checkable
class NeedsParts(Protocol):
    """An objective that needs parts of the recipe for one architecture alone too, such as teachers from outside."""

    @property
    def parts_alone(self) -> tuple[str, ...]:
        """Their names."""
        ...


def alone(piece: Piece) -> Piece:
    """What a schedule or an objective is for one architecture that is trained alone: itself, unless it says otherwise.

    >>> from supernet.train import CrossEntropy, InPlaceDistillation
    >>> alone(InPlaceDistillation(label_smoothing=0.1)) == alone(CrossEntropy(0.1)) == CrossEntropy(0.1)
    True
    """
    if isinstance(piece, TellsSubnetsApart) and not isinstance(piece, type):
        found: Piece = piece.alone()
        return found
    return piece
