"""Dropping the options whose subnets rate worst (ABS)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from supernet.errors import UsageError
from supernet.space import Arch, Codes, Option, Space
from supernet.train.context import Context
from supernet.train.edits.cells import operations_of
from supernet.train.optimisers._protocol import check_number
from supernet.train.ratings._protocol import Rating, rated
from supernet.train.samplers.cost_table import costs

_TRIES = 100  # blocks of architectures, each of as many as are wanted

Pair = tuple[str, Option]


@dataclass(frozen=True, kw_only=True)
class DropOptions:
    """Forbids the options that rate worst, as the mean of subnets that have them (ABS, algorithm 2).

    [arXiv 2004.13431](https://arxiv.org/abs/2004.13431). For every option of operations that is still allowed, up to
    `samples` different subnets with it are drawn; a subnet counts for all of its options. The options are sorted by
    the mean of their subnets' ratings, and the worst are dropped, but never the best of a choice. Choices of the inputs
    of nodes stay as they are.

    Args:
        rating: The rating of subnets, such as `Scored(Angle())`.
        count: The number of options to drop, wherever they are; None: the worst one of every choice (FairNAS, DARTS).
        samples: The largest number of subnets that an option is rated by.
        max_macs: Subnets of more multiply-accumulates are left out; None: no limit. An option without any within the
            limit is the first to be dropped.

    Raises:
        UsageError: a number outside its range.
    """

    rating: Rating
    count: int | None = 7
    samples: int = 1000
    max_macs: float | None = None

    def __post_init__(self) -> None:
        if (self.count is not None and self.count < 1) or self.samples < 1:
            raise UsageError(
                f"count={self.count} options by samples={self.samples} subnets were to be dropped; both are at least 1."
            )
        if self.max_macs is not None:
            check_number("The largest number of MACs", self.max_macs, above=0)

    def __call__(self, context: Context) -> Mapping[str, float]:
        """Drop options; tells how many.

        Raises:
            UsageError: no subnet is within the limit.
        """
        space = context.restriction.space
        means = self.means(context)
        dropped = set(self.worst(means))
        for name in dict.fromkeys(name for name, _ in dropped):
            context.restriction.allow(name, [option for option in space.allowed(name) if (name, option) not in dropped])
        return {"dropped": float(len(dropped))}

    def means(self, context: Context) -> dict[Pair, float]:
        """The mean rating of every option that may be dropped, the lower the better."""
        step = context.step
        with step.seeded("drop options") as rng:
            pools = self.drawn(context, rng)
        archs = list(dict.fromkeys(arch for pool in pools.values() for arch in pool))
        if pools and not archs:
            raise UsageError(
                f"No subnet that was drawn has {self.max_macs:,.0f} MACs or fewer, so no option can be rated. Raise "
                "max_macs."
            )
        found = dict(zip(archs, rated(self.rating, step, archs), strict=True))
        return {
            pair: float(np.mean([found[arch] for arch in pool])) if pool else float("inf")
            for pair, pool in pools.items()
        }

    def worst(self, means: Mapping[Pair, float]) -> Iterator[Pair]:
        """The options to be dropped, the worst first."""
        order = sorted(means, key=lambda pair: -means[pair])
        taken: list[str] = []
        for place, (name, option) in enumerate(order):
            better_one = any(other == name for other, _ in order[place + 1 :])
            if not better_one or (self.count is None and name in taken):
                continue
            if self.count is not None and len(taken) == self.count:
                return
            taken.append(name)
            yield name, option

    def drawn(self, context: Context, rng: np.random.Generator) -> dict[Pair, list[Arch]]:
        """The subnets by which each option is rated."""
        space = context.restriction.space
        names = [choice.name for choice in operations_of(space) if len(space.allowed(choice.name)) > 1]
        pools: dict[Pair, list[Arch]] = {(name, option): [] for name in names for option in space.allowed(name)}
        met, matters = set[tuple[int, ...]](), set[Pair]()
        for (name, option), pool in pools.items():
            column = space.column(name)
            for codes in _blocks(space.restrict({name: [option]}), pool, self.samples, rng):
                codes = codes[space.active_mask(codes)[:, column]]
                if len(codes):
                    matters.add((name, option))
                for arch in space.wrap(self._within(context, codes)):
                    if arch.code in met or len(pool) >= self.samples:
                        continue
                    met.add(arch.code)
                    for pair in arch.options().items():
                        if pair in pools and len(pools[pair]) < self.samples:
                            pools[pair].append(arch)
        return {pair: pool for pair, pool in pools.items() if pool or pair in matters}

    def _within(self, context: Context, codes: Codes) -> Codes:
        if self.max_macs is None or not len(codes):
            return codes
        kept: Codes = codes[costs(context.net, codes, "macs") <= self.max_macs]
        return kept


def _blocks(space: Space, pool: Sequence[Arch], samples: int, rng: np.random.Generator) -> Iterator[Codes]:
    """Architectures of a space, in blocks, while a pool of them is not full; those of a small space once, shuffled."""
    missing = samples - len(pool)
    try:
        small = space.size <= 10 * missing
    except UsageError:  # its conditions are too entangled to count
        small = False
    if small and missing > 0:
        yield space.unindex(rng.permutation(int(space.size)))
        return
    for _ in range(_TRIES):
        if (missing := samples - len(pool)) < 1:
            return
        yield space.population(rng, missing)
