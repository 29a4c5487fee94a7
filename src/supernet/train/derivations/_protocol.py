"""What a derivation promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.context import Context

__all__ = ["Derivation", "DerivesByTask"]


class Derivation(Protocol):
    """Finds the one architecture that a method proposes, once the training is done."""

    def check(self, net: Supernet) -> None:
        """Raise a UsageError, before any training, if nothing could be derived from this supernet."""
        ...

    def derive(self, context: Context) -> Arch:
        """The architecture; it may look at parts, restriction and memory, and rate candidates."""
        ...


@runtime_checkable
class DerivesByTask(Protocol):
    """A `Derivation` that finds an architecture for every task of the data."""

    def derive_by_task(self, context: Context) -> Mapping[str, Arch]:
        """The architectures by task; the first is what `derive` gives."""
        ...
