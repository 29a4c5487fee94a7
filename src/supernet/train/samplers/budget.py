"""Uniform sampling under a budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from supernet.errors import RunError, UsageError
from supernet.nn import Supernet
from supernet.space import Arch, Codes
from supernet.train.samplers.cost_table import Cost, check_cost, costs
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step

_BATCH, _BATCHES = 256, 64
_RAREST = 0.01  # 64 batches then miss it with a probability below 10⁻⁷⁰


@dataclass(frozen=True, kw_only=True)
class Budget:
    """`count` architectures, uniform among those whose cost keeps within bounds; the others are rejected.

    Args:
        high: The largest cost allowed, such as 330e6 MACs.
        low: The smallest cost allowed, in the same unit.
        cost: What the bounds are about: multiply-accumulates of an image (`"macs"`) or weights (`"params"`).
        count: Number of paths per step.
    """

    high: float
    low: float = 0.0
    cost: Cost = "macs"
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high < math.inf:
            raise UsageError(f"The range of costs is {self.low} to {self.high}; give finite numbers 0 ≤ low ≤ high.")
        if self.count < 1:
            raise UsageError(f"{self.count} paths a step were asked for; at least 1 is needed.")
        check_cost(self.cost)

    @property
    def draws(self) -> Draws:
        return "one" if self.count == 1 else "joint"

    def check(self, net: Supernet) -> None:
        found = costs(net, net.space.population(np.random.default_rng(0), 1000), self.cost)
        share = float(self._inside(found).mean())
        if share < _RAREST:
            raise UsageError(
                f"Of 1,000 random architectures {round(1000 * share)} have {self.cost} from {self.low:,.0f} to "
                f"{self.high:,.0f}; they range from {found.min():,.0f} to {found.max():,.0f}. Rejection needs "
                f"{round(1000 * _RAREST)} at least: choose wider bounds or a smaller space."
            )

    def _inside(self, found: NDArray[np.float64]) -> NDArray[np.bool_]:
        return (found >= self.low) & (found <= self.high)

    def paths(self, step: Step) -> Sequence[Arch]:
        kept: Codes = np.empty((0, len(step.space)), dtype=np.int16)
        for _ in range(_BATCHES):
            codes = step.space.population(step.rng, _BATCH)
            kept = np.concatenate([kept, codes[self._inside(costs(step.net, codes, self.cost))]])
            if len(kept) >= self.count:
                return step.space.wrap(kept[: self.count])
        raise RunError(
            f"Only {len(kept)} of {_BATCH * _BATCHES:,} random architectures have {self.cost} from {self.low:,.0f} "
            f"to {self.high:,.0f}, and {self.count} were asked for. Choose wider bounds or ask for fewer."
        )
