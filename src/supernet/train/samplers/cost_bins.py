"""Uniform over costs instead of uniform over options (SPOS's released sampler)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.samplers.cost_table import Cost, check_cost, costs
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class CostBins:
    """One path whose cost is spread evenly over a range (SPOS, released code).

    Options drawn uniformly give architectures crowded around the mean cost. This rule draws a bin of the range
    first, then the first of up to `tries` uniform architectures whose cost lies in it; if none does, the last one.

    Args:
        low: The lower end of the range, in the unit of `cost`.
        high: The upper end of the range; SPOS on ImageNet draws from 290e6 to 360e6 MACs.
        bins: Number of equal bins; SPOS has 7 of 10 M MACs.
        cost: The cost that is spread evenly: multiply-accumulates of an image (`"macs"`) or weights (`"params"`).
        tries: Number of architectures drawn for a bin before giving up; SPOS draws 500.
    """

    low: float
    high: float
    bins: int = 7
    cost: Cost = "macs"
    tries: int = 500

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high:
            raise UsageError(f"The range of costs is {self.low} to {self.high}; it must rise from 0 or more.")
        if self.bins < 1 or self.tries < 1:
            raise UsageError(f"bins={self.bins} and tries={self.tries} must both be at least 1.")
        check_cost(self.cost)

    @property
    def draws(self) -> Draws:
        return "one"

    def check(self, net: Supernet) -> None:
        found = costs(net, net.space.population(np.random.default_rng(0), 1000), self.cost)
        if not ((found >= self.low) & (found <= self.high)).any():
            raise UsageError(
                f"None of 1,000 random architectures has {self.cost} from {self.low:,.0f} to {self.high:,.0f}; "
                f"they range from {found.min():,.0f} to {found.max():,.0f}. Choose low and high within that."
            )

    def paths(self, step: Step) -> Sequence[Arch]:
        width = (self.high - self.low) / self.bins
        low = self.low + width * int(step.rng.integers(self.bins))
        codes = step.space.population(step.rng, self.tries)
        found = costs(step.net, codes, self.cost)
        inside = np.flatnonzero((found >= low) & (found <= low + width))
        place = inside[0] if len(inside) else self.tries - 1
        return step.space.wrap(codes[place : place + 1])
