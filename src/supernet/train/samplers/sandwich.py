"""The sandwich rule (US-Nets, BigNAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from supernet.errors import UsageError
from supernet.nn import Decisions, Supernet
from supernet.space import Arch
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step


@dataclass(frozen=True)
class Sandwich:
    """The largest subnet first, then `random` others and the smallest (US-Nets, §3.2; BigNAS, §3.1).

    US-Nets: [arXiv 1903.05134](https://arxiv.org/abs/1903.05134); BigNAS:
    [arXiv 2003.11142](https://arxiv.org/abs/2003.11142).

    Args:
        random: Number of draws between the two extremes; both papers use 2.
        between: Sampler that is asked for each of them; None draws uniformly.
        smallest: Whether the smallest comes `"last"`, or `"second"`, as in NASViT's code.
    """

    random: int = 2
    between: Sampler | None = None
    smallest: Literal["last", "second"] = "last"

    def __post_init__(self) -> None:
        if self.smallest not in ("last", "second"):
            raise UsageError(f"The smallest subnet comes 'last' or 'second'; got {self.smallest!r}.")
        if self.random < 0:
            raise UsageError(f"The sandwich was asked for {self.random} random subnets; give 0 or more.")

    @property
    def draws(self) -> Draws:
        return "joint"

    def check(self, net: Supernet) -> None:
        if self.between is not None:
            self.between.check(net)

    def paths(self, step: Step) -> Sequence[Arch | Decisions]:
        space = step.space
        between: list[Arch | Decisions] = []
        if self.between is None:
            between += space.wrap(space.population(step.rng, self.random))
        else:
            for _ in range(self.random):
                between += self.between.paths(step)
        if self.smallest == "second":
            return [space.largest(), space.smallest(), *between]
        return [space.largest(), *between, space.smallest()]
