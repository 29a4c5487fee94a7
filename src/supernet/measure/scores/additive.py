"""What a score promises that is a sum over stages, so that the best of each stage can be looked up in a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from supernet.measure.scores.score import Subnet
from supernet.nn import Supernet


@runtime_checkable
class Additive(Protocol):
    """A `Score` whose value is the sum of one term per stage, each a function of the stage's own choices."""

    def stages(self, net: Supernet) -> tuple[tuple[str, ...], ...]:
        """The choices of each stage, by name; none belongs to two."""
        ...

    def terms(self, subnet: Subnet) -> Sequence[float]:
        """The term of each stage."""
        ...
