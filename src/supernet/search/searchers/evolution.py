"""The evolutionary search of SPOS (Guo et al., ECCV 2020, algorithm 1, https://arxiv.org/abs/1904.00420)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Unpack

import numpy as np

from supernet.data import ImageData
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.paper import Paper
from supernet.search.driver import run
from supernet.search.evaluator import Evaluator
from supernet.search.front import Front
from supernet.search.request import Request
from supernet.search.sampler import Code, FeasibleSampler, distinct, population
from supernet.search.task import Task
from supernet.space import Arch, Codes

__all__ = ["Evolution", "evolution"]

PAPER = Paper(
    name="SPOS",
    title="Single Path One-Shot Neural Architecture Search with Uniform Sampling",
    authors=("Guo", "Zhang", "Mu", "Heng", "Liu", "Wei", "Sun"),
    venue="ECCV",
    year=2020,
    arxiv="1904.00420",
    provenance="official code",
)


@dataclass(frozen=True, kw_only=True)
class Evolution:
    """Generations of mutants and crossovers of the best architectures of all time. One objective.

    SPOS, Guo et al., *Single Path One-Shot Neural Architecture Search with Uniform Sampling*, ECCV 2020, algorithm 1
    ([arXiv 1904.00420](https://arxiv.org/abs/1904.00420)); the defaults and a budget of 1,000, its 20 generations of
    50, are the paper's.

    The first generation is random. Each later one holds `mutations` mutants of random parents, `crossovers` children
    of random pairs of parents, and is filled up at random. The parents are the `parents` best of everything told so
    far. No architecture is asked for twice. Making a child takes at most `attempts` tries on average; what
    cannot be made within them is filled up at random too.

    Where values go stale (`Task.keep`) the parents are the best of the architectures that are kept, and an
    architecture may be asked for again in every generation (Zhang et al., CVPR 2024, section 3.3,
    [arXiv 2403.11380](https://arxiv.org/abs/2403.11380)).

    Args:
        population: Number of architectures per generation.
        parents: Number of best architectures that are bred from.
        mutations: Number of mutants per generation.
        crossovers: Number of crossover children per generation.
        mutation_p: Probability that a mutation resamples a decision.
        attempts: Number of tries to make a child that is feasible and new.

    Raises:
        UsageError: a number outside its range, or more children than the population holds.
    """

    name: ClassVar[str] = "evolution"

    population: int = 50
    parents: int = 10
    mutations: int = 25
    crossovers: int = 25
    mutation_p: float = 0.1
    attempts: int = 10

    def __post_init__(self) -> None:
        if min(self.population, self.parents, self.attempts) < 1 or min(self.mutations, self.crossovers) < 0:
            raise UsageError("Evolution needs population, parents and attempts of at least 1 and no negative number.")
        if self.mutations + self.crossovers > self.population:
            raise UsageError(
                f"Evolution was to make {self.mutations} mutants and {self.crossovers} crossover children per "
                f"generation, more than its population of {self.population}; lower them or raise the population."
            )
        if not 0 <= self.mutation_p <= 1:
            raise UsageError(f"The mutation probability is {self.mutation_p}; it must lie between 0 and 1.")

    def begin(self, task: Task) -> _Breeding:
        """Start a search, see `Searcher`.

        Raises:
            UsageError: several objectives.
        """
        task.require_one_objective("Evolution")
        return _Breeding(self, task)


def evolution(subject: Supernet | Evaluator, data: ImageData | None = None, **request: Unpack[Request]) -> Front:
    """`run(Evolution(), …)`, SPOS's search for the best accuracy; its budget of 1,000 is 20 generations of 50."""
    return run(Evolution(), subject, data, **request)


class _Breeding:
    def __init__(self, settings: Evolution, task: Task) -> None:
        self.settings, self.task = settings, task
        self._rng = np.random.default_rng(task.seed)
        self._sampler = FeasibleSampler(task.space, task.feasible, known=task.known, rng=self._rng, first=task.initial)
        self._visited: set[Code] = set()
        self._ranks: dict[Arch, tuple[float, ...]] = {}
        self._queue: list[Arch] = []

    def ask(self, n: int) -> list[Arch]:
        if not self._queue:
            self._queue = self.task.space.wrap(self._generation())
        asked, self._queue = self._queue[:n], self._queue[n:]
        return asked

    def tell(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        for arch, told in zip(archs, values, strict=True):
            self._visited.add(arch.code)
            self._ranks[arch] = self.task.rank(told)

    def _generation(self) -> Codes:
        if self.task.keep is not None:
            self._visited.clear()
            kept = sorted(self._ranks, key=self._ranks.__getitem__)[: self.task.keep]
            self._ranks = {arch: self._ranks[arch] for arch in kept}
        settings = self.settings
        children: list[Code] = []
        if self._ranks:
            space, rng = self.task.space, self._rng
            best = space.codes(sorted(self._ranks, key=self._ranks.__getitem__)[: settings.parents])
            chosen = best[rng.integers(len(best), size=settings.attempts * settings.mutations)]
            children += self._admit(space.mutate(chosen, rng, p=settings.mutation_p), settings.mutations)
            first, second = best[rng.integers(len(best), size=(2, settings.attempts * settings.crossovers))]
            children += self._admit(space.crossover(first, second, rng), settings.crossovers)
        fill = self._sampler.draw(settings.population - len(children), self._visited)
        children += self._admit(fill, len(fill))
        return population(self.task.space, children)

    def _admit(self, candidates: Codes, n: int) -> list[Code]:
        """The first `n` candidates that are feasible and were never visited; they are from now on."""
        new = distinct(candidates[self.task.feasible(candidates)], self._visited)[:n]
        self._visited.update(new)
        return new
