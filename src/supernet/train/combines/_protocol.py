"""What a combination of gradients promises."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Combine"]


class Combine(Protocol):
    """How the gradients of the paths of a move become one."""

    def weight(self, paths: int) -> float:
        """Factor on the loss of each of `paths` paths."""
        ...
