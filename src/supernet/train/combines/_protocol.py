"""What a combination of gradients promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from torch import Tensor

__all__ = ["Combine", "JoinsGradients"]

Gradients: TypeAlias = list[Tensor | None]
"""The gradient of one path, by parameter, in the order of the families of its move; None: the path used it not."""


class Combine(Protocol):
    """How the gradients of the paths of a move become one."""

    def weight(self, paths: int) -> float:
        """Factor on the loss of each of `paths` paths."""
        ...


@runtime_checkable
class JoinsGradients(Combine, Protocol):
    """A combination that is no weighted sum: it sees the gradient of each path by itself.

    Memory holds one gradient per path then.
    """

    def join(self, gradients: Sequence[Gradients], progress: float) -> Gradients:
        """The gradient of the move.

        Args:
            gradients: Those of the paths that learn, in their order, averaged over all processes; each with `weight`
                and the factors of its path. They may be changed.
            progress: Share of the training, or of its phase, that is done, in [0, 1).
        """
        ...
