"""Uniform sampling under bounds that are shares of the largest architecture's cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.samplers.budget import Budget
from supernet.train.samplers.cost_table import Cost, check_cost, costs
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class CostShare:
    """One architecture, uniform among those whose cost is in a range of shares of the largest one's; see `Budget`.

    Args:
        high: The largest share allowed, up to 1.
        low: The smallest share allowed, from 0.
        cost: What the shares are of: multiply-accumulates of an image (`"macs"`) or weights (`"params"`).
    """

    high: float
    low: float = 0.0
    cost: Cost = "params"

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise UsageError(f"The range of shares is {self.low} to {self.high}; give 0 ≤ low ≤ high ≤ 1.")
        check_cost(self.cost)

    @property
    def draws(self) -> Draws:
        return "one"

    def check(self, net: Supernet) -> None:
        self._budget(net).check(net)

    def paths(self, step: Step) -> Sequence[Arch]:
        return self._budget(step.net).paths(step)

    def _budget(self, net: Supernet) -> Budget:
        largest = float(costs(net, net.space.codes([net.space.largest()]), self.cost)[0])
        return Budget(low=self.low * largest, high=self.high * largest, cost=self.cost)
