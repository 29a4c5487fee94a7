"""The sandwich rule (US-Nets, BigNAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.move import Step


@dataclass(frozen=True)
class Sandwich:
    """The largest subnet, `random` uniform ones, the smallest, in this order (US-Nets, §3.2; BigNAS, §3.1).

    Args:
        random: Number of random subnets between the two extremes; both papers use 2.
    """

    random: int = 2

    def __post_init__(self) -> None:
        if self.random < 0:
            raise UsageError(f"The sandwich was asked for {self.random} random subnets; give 0 or more.")

    def check(self, net: Supernet) -> None:
        """Any space will do."""

    def paths(self, step: Step) -> Sequence[Arch]:
        space = step.space
        between = space.wrap(space.population(step.rng, self.random))
        return [space.largest(), *between, space.smallest()]
