"""How the costs of a space are distributed, and the options of architectures of one cost (AttentiveNAS)."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.measure import CostModel, cost_model
from supernet.nn import Supernet
from supernet.space import Codes, Space

Cost: TypeAlias = Literal["macs", "params"]

_tables: WeakKeyDictionary[CostModel, dict[tuple[object, ...], CostTable]] = WeakKeyDictionary()


def check_cost(cost: str) -> None:
    """Raise a UsageError if there is no such cost."""
    if cost not in get_args(Cost):
        raise UsageError(f"The cost {cost!r} is not known; use 'macs' or 'params'.")


def costs(net: Supernet, codes: Codes, cost: Cost) -> NDArray[np.float64]:
    """Costs (N,) of a population (N, D)."""
    model = cost_model(net)
    return model.macs(codes) if cost == "macs" else model.params(codes)


def survey(space: Space, size: int, seed: int) -> tuple[Codes, NDArray[np.float64]]:
    """Architectures (N, D), and weights (N,) in proportion to which uniform decisions draw them.

    Every architecture once, with its exact probability, if there are at most `size`; otherwise a sample of that size.
    """
    try:
        whole = space.size <= size
    except UsageError:  # its conditions are too entangled to count
        whole = False
    if not whole:
        return space.population(np.random.default_rng(seed), size), np.full(size, 1 / size)
    codes = space.unindex(range(space.size))
    return codes, np.where(space.active_mask(codes), 1 / space.counts, 1.0).prod(axis=1)


class CostTable:
    """P(cost) and P(option | cost) for every choice, when decisions are uniform; costs in equal bins.

    Args:
        space: The space, or sub-space, that the architectures are from.
        codes: The architectures (N, D) that the table is made from.
        weights: The probabilities (N,) of these architectures.
        costs: The costs (N,) of these architectures.
        bins: Number of bins from the lowest cost to the highest.

    Attributes:
        low: The lowest cost among them.
        high: The highest cost among them.
        prior: The probability P(bin) of each bin, (B,).
        options: P(option | bin) of every choice where it is active, (B, D, K); K is the largest number of options.
            Uniform over the options where a bin has no architecture with that choice.
    """

    def __init__(
        self, space: Space, codes: Codes, weights: NDArray[np.float64], costs: NDArray[np.float64], *, bins: int
    ) -> None:
        self.space, self.low, self.high = space, float(costs.min()), float(costs.max())
        count = bins if self.high > self.low else 1
        self._count = count
        found = self.bins(costs)
        self.prior = np.bincount(found, weights, minlength=count)
        longest = max((len(choice) for choice in space.choices), default=1)
        self.options = np.zeros((count, len(space), longest))
        active = space.active_mask(codes)
        for column, allowed in enumerate(space.allowed_codes):
            places = found * longest + codes[:, column]
            mass = np.bincount(places, weights * active[:, column], minlength=count * longest).reshape(count, longest)
            mass[np.ix_(mass.sum(axis=1) == 0, allowed)] = 1.0
            self.options[:, column] = mass / mass.sum(axis=1, keepdims=True)
        ends = self.options.cumsum(axis=2)
        self._ends = ends / ends[:, :, -1:]  # exactly 1 at the last option, so that no draw lies beyond it

    def bins(self, costs: NDArray[np.float64]) -> NDArray[np.int64]:
        """The bin (N,) of each cost; the last bin includes its upper end. Costs beyond the bins have none of theirs."""
        spread = self.high - self.low or 1.0
        found = np.floor((costs - self.low) * self._count / spread).astype(np.int64)
        return np.where(costs == self.high, self._count - 1, found)

    def draw_bin(self, rng: np.random.Generator) -> int:
        """A bin, as often as the space has architectures in it."""
        return int(rng.choice(len(self.prior), p=self.prior / self.prior.sum()))

    def draw(self, place: int, n: int, rng: np.random.Generator) -> Codes:
        """Architectures (n, D) whose decisions are drawn independently as the bin has them; not all cost as much."""
        points = rng.random((n, len(self.space)))
        codes = (points[:, :, None] >= self._ends[place]).sum(axis=2)
        return self.space.canonical(codes.astype(np.int16))


def cost_table(net: Supernet, space: Space, *, cost: Cost, bins: int, size: int, seed: int) -> CostTable:
    """The table of a (sub-)space, made at the first call and remembered as long as the supernet's `cost_model`.

    Args:
        net: The supernet, whose cost model is asked.
        space: The space of the supernet, or a sub-space of it.
        cost: The cost that is tabled: multiply-accumulates of an image (`"macs"`) or weights (`"params"`).
        bins: Number of bins from the lowest cost to the highest.
        size: Number of architectures to learn from; a space with no more is enumerated, and the table exact.
        seed: The seed that these architectures are drawn with.
    """
    known = _tables.setdefault(cost_model(net), {})
    key = (cost, bins, size, seed, *(codes.tobytes() for codes in space.allowed_codes))
    if key not in known:
        codes, weights = survey(space, size, seed)
        known[key] = CostTable(space, codes, weights, costs(net, codes, cost), bins=bins)
    return known[key]
