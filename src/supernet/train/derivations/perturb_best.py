"""The best of random architectures, then of its perturbations, then of a chain of accepted ones (SMASH)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from supernet.errors import UsageError
from supernet.io.progress import within
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.context import Context
from supernet.train.optimisers._protocol import check_number
from supernet.train.ratings._protocol import Rating, rated
from supernet.train.ratings.validation import ValidationError


@dataclass(frozen=True, kw_only=True)
class PerturbBest:
    """Three stages: random architectures, perturbations of the best of them, and a chain from the best of all.

    [arXiv 1708.05344](https://arxiv.org/abs/1708.05344), §4, and its code. A perturbation resamples each decision with
    probability `p`. In the chain each architecture is a perturbation of the last one that was accepted, and is accepted
    where its rating is lower. Derived is the best of all that were rated; among equals the first.

    Args:
        random: The number of random architectures.
        perturbed: The number of perturbations of the best of them.
        chain: The number of steps of the chain.
        p: The probability that a decision is resampled.
        rating: Tells good from bad with the present weights; the default is the error on all validation images.

    Raises:
        UsageError: no random architecture, a negative number, or no probability.
    """

    random: int = 500
    perturbed: int = 100
    chain: int = 100
    p: float = 0.05
    rating: Rating = field(default_factory=lambda: ValidationError(None))

    def __post_init__(self) -> None:
        if self.random < 1 or min(self.perturbed, self.chain) < 0:
            raise UsageError(
                f"An architecture was to be derived of {self.random} random ones, {self.perturbed} perturbations and "
                f"{self.chain} steps of a chain; give at least 1 random one, and 0 or more of the others."
            )
        check_number("The probability of a perturbation", self.p, above=0, at_most=1)

    def check(self, net: Supernet) -> None:
        """Any space will do."""

    def derive(self, context: Context) -> Arch:
        """The best architecture that was rated."""
        step = context.step
        several = self.random + self.perturbed
        with (
            step.seeded("perturb the best") as rng,
            within("rate", several + self.chain, unit="architectures") as bar,
        ):
            found: dict[Arch, float] = {}
            archs = step.space.wrap(step.space.population(rng, self.random))
            self._rate(context, found, archs)
            bar.update(self.random)
            best = _best(found)
            self._rate(context, found, [self._perturb(context, best, rng) for _ in range(self.perturbed)])
            here = _best(found)
            for number in range(self.chain):
                bar.update(several + number)
                proposed = self._perturb(context, here, rng)
                self._rate(context, found, [proposed])
                here = proposed if found[proposed] < found[here] else here
        return _best(found)

    def _perturb(self, context: Context, arch: Arch, rng: np.random.Generator) -> Arch:
        space = context.step.space
        return space.wrap(space.mutate(space.codes([arch]), rng, p=self.p))[0]

    def _rate(self, context: Context, found: dict[Arch, float], archs: Sequence[Arch]) -> None:
        new = [arch for arch in dict.fromkeys(archs) if arch not in found]
        found.update(zip(new, rated(self.rating, context.step, new), strict=True) if new else ())


def _best(found: dict[Arch, float]) -> Arch:
    return min(found, key=found.__getitem__)
