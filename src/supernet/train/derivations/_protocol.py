"""What a derivation promises."""

from __future__ import annotations

from typing import Protocol

from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.parametrisations.option_logits import ArchitectureParameters

__all__ = ["Derivation"]


class Derivation(Protocol):
    """Turns learned architecture parameters into one architecture."""

    def check(self, net: Supernet) -> None:
        """Raise a UsageError, before any training, if nothing could be derived from this supernet."""
        ...

    def derive(self, net: Supernet, architecture: ArchitectureParameters) -> Arch:
        """The architecture the method proposes."""
        ...
