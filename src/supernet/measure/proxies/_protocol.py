"""What every score without training answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from supernet.measure.proxies._untrained import Untrained
from supernet.rank.checks import Floats


@runtime_checkable
class Proxy(Protocol):
    """Rates a network with fresh weights."""

    def __call__(self, subject: Untrained) -> float | Mapping[str, float]:
        """The score, higher for better networks; or the parts of one that only a comparison makes (`Joined`)."""


@runtime_checkable
class Joined(Protocol):
    """A proxy whose parts become a score when architectures are compared."""

    def joined(self, parts: Mapping[str, Floats]) -> Floats:
        """The scores (N,) of N architectures by their parts (N,), higher for better ones."""
