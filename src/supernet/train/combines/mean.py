"""The mean of the gradients."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mean:
    """Average the gradients of all paths."""

    def weight(self, paths: int) -> float:
        return 1.0 / paths
