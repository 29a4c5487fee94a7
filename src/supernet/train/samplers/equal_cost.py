"""Architectures of the same cost (AttentiveNAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch, Space
from supernet.train.samplers.cost_table import Cost, CostTable, check_cost, cost_table, costs
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class EqualCost:
    """A group whose cost lies in one bin; the bin is drawn as often as uniform decisions hit it (AttentiveNAS, §3.1).

    [arXiv 2011.09011](https://arxiv.org/abs/2011.09011).

    Within the bin every decision is drawn independently, as often as architectures of the bin take it; what misses
    the bin is rejected, up to `tries` times per architecture, and then the last one is taken.

    Args:
        count: Number of architectures in the group.
        bins: Number of equal bins between the lowest and the highest cost of the (sub-)space. AttentiveNAS has bins of
            25 M MACs, about 70 in its space.
        cost: The cost that the group shares: multiply-accumulates of an image (`"macs"`) or weights (`"params"`).
        tries: Number of draws for an architecture before giving up.
        survey: Number of architectures that the frequencies are estimated from, once; in a space with no more they are
            exact.
        seed: The seed that the architectures of this estimate are drawn with.
    """

    count: int = 3
    bins: int = 70
    cost: Cost = "macs"
    tries: int = 100
    survey: int = 100_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("count", "bins", "tries", "survey"):
            if getattr(self, name) < 1:
                raise UsageError(f"EqualCost has {name}={getattr(self, name)}; it must be at least 1.")
        check_cost(self.cost)

    @property
    def draws(self) -> Draws:
        return "one" if self.count == 1 else "joint"

    def check(self, net: Supernet) -> None:
        self._table(net, net.space)

    def _table(self, net: Supernet, space: Space) -> CostTable:
        return cost_table(net, space, cost=self.cost, bins=self.bins, size=self.survey, seed=self.seed)

    def paths(self, step: Step) -> Sequence[Arch]:
        table = self._table(step.net, step.space)
        place = table.draw_bin(step.rng)
        codes = table.draw(place, self.count * self.tries, step.rng)
        inside = (table.bins(costs(step.net, codes, self.cost)) == place).reshape(self.count, self.tries)
        first = np.where(inside.any(axis=1), inside.argmax(axis=1), self.tries - 1)
        return step.space.wrap(codes[np.arange(self.count) * self.tries + first])
