"""The sum of the gradients."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sum:
    """Add the gradients of all paths (FairNAS, algorithm 1; OFA, AttentiveNAS in code)."""

    def weight(self, paths: int) -> float:
        return 1.0
