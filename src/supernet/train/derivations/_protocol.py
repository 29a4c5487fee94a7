"""What a derivation promises."""

from __future__ import annotations

from typing import Protocol

from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.context import Context

__all__ = ["Derivation"]


class Derivation(Protocol):
    """Finds the one architecture that a method proposes, once the training is done."""

    def check(self, net: Supernet) -> None:
        """Raise a UsageError, before any training, if nothing could be derived from this supernet."""
        ...

    def derive(self, context: Context) -> Arch:
        """The architecture; it may look at parts, restriction and memory, and rate candidates."""
        ...
