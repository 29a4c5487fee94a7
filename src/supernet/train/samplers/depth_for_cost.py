"""Depths drawn so that the mean cost is what is asked for (ViTAS's identity proportion)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.measure import CostModel, cost_model
from supernet.nn import Supernet
from supernet.space import Arch, Codes, Space
from supernet.train.samplers.cost_table import Cost, check_cost, costs
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step

_parts: WeakKeyDictionary[Space, dict[tuple[str, int], Space]] = WeakKeyDictionary()
_found: WeakKeyDictionary[CostModel, dict[tuple[object, ...], float]] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class DepthForCost:
    """One path whose layers are each the identity with one probability, at which the mean cost is what is asked for.

    ViTAS, [arXiv 2106.13700](https://arxiv.org/abs/2106.13700), and its released code: the probability begins at 0.5
    and moves by 0.01 until the mean cost of 1,000 random architectures lies between `low` and `high`. Identities come
    last, so that a depth d of D is drawn as often as D − d of D layers are identities, among the depths that the space
    has. All other decisions are uniform.

    Args:
        low: The least mean cost, in the unit of `cost`.
        high: The largest mean cost; ViTAS searches 1 G from 0.9e9 to 1e9 MACs.
        depth: The name of the choice of depth.
        cost: The cost: multiply-accumulates of an image (`"macs"`) or weights (`"params"`).
        move: The step of the probability.
        sample: Number of architectures whose mean is taken.

    Raises:
        UsageError: a value outside its range; before the training, a space without this depth, or bounds that no
            probability meets.
    """

    low: float
    high: float
    depth: str = "depth"
    cost: Cost = "macs"
    move: float = 0.01
    sample: int = 1000

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high:
            raise UsageError(f"The mean cost was to lie from {self.low} to {self.high}; it must rise from 0 or more.")
        if not 0 < self.move < 0.5 or self.sample < 1:
            raise UsageError(f"move={self.move} must lie between 0 and 0.5, and sample={self.sample} be at least 1.")
        check_cost(self.cost)

    @property
    def draws(self) -> Draws:
        return "one"

    def check(self, net: Supernet) -> None:
        self.proportion(net)

    def proportion(self, net: Supernet) -> float:
        """The probability of an identity; it is found once for a supernet.

        Raises:
            UsageError: as said above.
        """
        known, key = _found.setdefault(cost_model(net), {}), (self,)
        if key not in known:
            known[key] = self._search(net)
        return known[key]

    def paths(self, step: Step) -> Sequence[Arch]:
        return step.space.wrap(self._population(step.space, step.rng, 1, self.proportion(step.net)))

    def _search(self, net: Supernet) -> float:
        if self.depth not in net.space.names:
            raise UsageError(f"The space has no choice {self.depth!r}, by which the mean cost could be set.")
        tried: dict[int, float] = {}
        moves = 0
        for _ in range(math.ceil(1 / self.move)):
            p = 0.5 + moves * self.move
            if not 0 < p < 1 or moves in tried:
                break
            codes = self._population(net.space, np.random.default_rng([0, moves + 10**6]), self.sample, p)
            tried[moves] = mean = float(costs(net, codes, self.cost).mean())
            if self.low <= mean <= self.high:
                return p
            moves += 1 if mean > self.high else -1
        raise UsageError(
            f"No probability of an identity gives a mean of {self.low:,.0f} to {self.high:,.0f} {self.cost}; those "
            f"tried gave {min(tried.values()):,.0f} to {max(tried.values()):,.0f}. Choose low and high within that, "
            "further apart, or a smaller move."
        )

    def _population(self, space: Space, rng: np.random.Generator, n: int, p: float) -> Codes:
        """Codes (n, D): the depth by the number of identities, everything else uniform."""
        depths = [int(option) for option in space.allowed(self.depth)]  # type: ignore[arg-type]
        layers = max(int(option) for option in space.choices[space.column(self.depth)].options)  # type: ignore[arg-type]
        weights: NDArray[np.float64] = np.asarray(
            [math.comb(layers, depth) * (1 - p) ** depth * p ** (layers - depth) for depth in depths]
        )
        counts = rng.multinomial(n, weights / weights.sum())
        known = _parts.setdefault(space, {})
        parts = []
        for depth, count in zip(depths, counts, strict=True):
            if count:
                key = (self.depth, depth)
                if key not in known:
                    known[key] = space.restrict({self.depth: (depth,)})
                parts.append(known[key].population(rng, int(count)))
        return np.concatenate(parts)
