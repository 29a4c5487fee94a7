"""The search of AlphaNet: the best of each bin of MACs (Wang et al., ICML 2021, https://arxiv.org/abs/2102.07954)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, TypeAlias

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.io.section import Count, Positive, Probability, Section
from supernet.paper import Paper
from supernet.search.problem import Problem
from supernet.search.remembering import Remembering
from supernet.search.sampler import distinct, population, sampler_of
from supernet.search.variation import mutate_others
from supernet.space import Arch, Codes

Quantity: TypeAlias = Literal["macs", "params", "latency_ms"]
Sizes: TypeAlias = Literal["comments", "shipped"]

PAPER = Paper(
    name="AlphaNet",
    title="AlphaNet: Improved Training of Supernets with Alpha-Divergence",
    authors=("Wang", "Gong", "Li", "Liu", "Chandra"),
    venue="ICML",
    year=2021,
    arxiv="2102.07954",
    provenance="official code",
)

_PUBLISHED: Mapping[str, tuple[int, int, int]] = {"comments": (512, 128, 128), "shipped": (4, 4, 4)}
_BINS = 100  # of 10 million MACs from 200 to 1,200 million


@dataclass(frozen=True, kw_only=True)
class ParetoBins(Section, place="pareto_bins."):
    """Keeps the best architecture of each bin of MACs; all of them are bred from alike.

    AlphaNet, [arXiv 2102.07954](https://arxiv.org/abs/2102.07954), and its code, `parallel_supernet_evo_search.py`. The
    first generation is the smallest network and random ones, the next hold mutants and crossovers of members drawn
    uniformly from the bins. In a mutation each decision takes another option with probability `mutation_p`. The first
    objective decides within a bin; the result is a front where the quantity of the bins is the second:
    `--objectives accuracy,macs`.

    Args:
        sizes: Which published numbers stand where none are given: those in the `"comments"` of the settings file,
            512, 128 and 128, or those that are `"shipped"` in it, 4, 4 and 4.
        population: Number of architectures of the first generation; None: as `sizes` says.
        mutations: Number of mutants per generation; None: as `sizes` says.
        crossovers: Number of crossover children per generation; None: as `sizes` says.
        mutation_p: Probability that a decision takes another option.
        quantity: The cheap quantity that is binned.
        width: Width of a bin, in the unit of the quantity; bins lie around its multiples. AlphaNet's is 10 million
            MACs, a hundredth of its range; None: a hundredth of the bounds on the quantity, or where these leave a side
            open, of what the smallest and the largest network have.
        iterations: Number of generations, the first included.
        attempts: Number of tries to make a feasible child.

    Raises:
        UsageError: a number outside its range.
    """

    name: ClassVar[str] = "pareto_bins"

    sizes: Sizes = "comments"
    population: Positive | None = None
    mutations: Count | None = None
    crossovers: Count | None = None
    mutation_p: Probability = 0.2
    quantity: Quantity = "macs"
    width: Annotated[float, Meta(gt=0)] | None = None
    iterations: Positive = 20
    attempts: Positive = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        names = ("population", "mutations", "crossovers")
        for name, number in zip(names, _PUBLISHED[self.sizes], strict=True):
            if getattr(self, name) is None:
                object.__setattr__(self, name, number)

    def begin(self, problem: Problem) -> Remembering:
        """Start a search, see `Searcher`.

        Raises:
            UsageError: the quantity of the bins is not cheap.
        """
        if self.quantity not in problem.costs:
            raise UsageError(
                f"Bins are made of a quantity that is cheap to know, one of {', '.join(problem.costs)}; "
                f"pareto_bins.quantity is {self.quantity!r}."
            )
        bins = _Bins(self, problem)
        return Remembering(problem, bins.generation, bins.learn)


class _Bins:
    def __init__(self, settings: ParetoBins, problem: Problem) -> None:
        self.settings, self.problem = settings, problem
        self.width = settings.width or _hundredth(problem, settings.quantity)
        self._rng = np.random.default_rng(problem.seed)
        self._sampler = sampler_of(problem, self._rng)
        self._best: dict[int, tuple[tuple[float, ...], Arch]] = {}
        self._left = settings.iterations

    def learn(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        costs = self.problem.costs[self.settings.quantity](self.problem.space.codes(archs))
        for arch, told, cost in zip(archs, values, costs, strict=True):
            place, rank = round(float(cost) / self.width), self.problem.rank(told)[:2]
            if place not in self._best or rank < self._best[place][0]:
                self._best[place] = rank, arch

    def generation(self) -> list[Arch]:
        if self._left == 0:
            return []
        self._left -= 1
        return self.problem.space.wrap(self._children() if self._best else self._first())

    def _first(self) -> Codes:
        """The smallest network, if it is allowed, then random ones; those to begin with come before both."""
        space, wanted = self.problem.space, self.settings.population or 1
        smallest = space.codes([space.smallest()])
        smallest = smallest[self.problem.feasible(smallest)]
        begin = population(space, []) if self.problem.initial is None else self.problem.initial
        drawn = self._sampler.draw(max(wanted, len(begin)))
        return population(space, distinct(np.concatenate([begin, smallest, drawn]))[: max(wanted, len(begin))])

    def _children(self) -> Codes:
        space, rng, tries = self.problem.space, self._rng, self.settings.attempts
        codes = space.codes([arch for _, arch in self._best.values()])
        mutations, crossovers = self.settings.mutations or 0, self.settings.crossovers or 0
        mutants = codes[rng.integers(len(codes), size=tries * mutations)]
        first, second = codes[rng.integers(len(codes), size=(2, tries * crossovers))]
        found = [
            self._allowed(mutate_others(space, mutants, rng, p=self.settings.mutation_p))[:mutations],
            self._allowed(space.crossover(first, second, rng))[:crossovers],
        ]
        fill = self._sampler.draw(mutations + crossovers - sum(map(len, found)))
        return np.concatenate([*found, fill])

    def _allowed(self, codes: Codes) -> Codes:
        allowed: Codes = codes[self.problem.feasible(codes)]
        return allowed


def _hundredth(problem: Problem, quantity: str) -> float:
    space = problem.space
    ends: NDArray[np.float64] = problem.costs[quantity](space.codes([space.smallest(), space.largest()]))
    bound = next((c for c in problem.constraints if c.name == quantity), None)
    low = ends.min() if bound is None or bound.low is None else bound.low
    high = ends.max() if bound is None or bound.high is None else bound.high
    return float(high - low) / _BINS or 1.0
