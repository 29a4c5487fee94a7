"""What a sampler promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from supernet.nn import Decisions, Supernet
from supernet.space import Arch
from supernet.train.step import Step

__all__ = ["Sampler"]


class Sampler(Protocol):
    """Draws the group of paths that one move trains. All randomness comes from `step.rng`."""

    def check(self, net: Supernet) -> None:
        """Raise a UsageError if the rule makes no sense for this supernet."""
        ...

    def paths(self, step: Step) -> Sequence[Arch | Decisions]:
        """The paths of this step, in the order they run."""
        ...
