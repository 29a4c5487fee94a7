"""The evolutionary search of SPOS (Guo et al., ECCV 2020, algorithm 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from supernet.errors import UsageError
from supernet.paper import Paper
from supernet.search.sampler import Code, FeasibleSampler, distinct, population
from supernet.search.task import Task
from supernet.space import Arch, Codes

PAPER = Paper(
    name="SPOS",
    title="Single Path One-Shot Neural Architecture Search with Uniform Sampling",
    authors=("Guo", "Zhang", "Mu", "Heng", "Liu", "Wei", "Sun"),
    venue="ECCV",
    year=2020,
    arxiv="1904.00420",
    provenance="official code",
)


class Evolution:
    """Generations of mutants and crossovers of the best architectures of all time. One objective.

    The first generation is random. Each later one holds `mutations` mutants of random parents, `crossovers` children
    of random pairs of parents, and is filled up at random. The parents are the `parents` best of everything told so
    far. No architecture is asked for twice. Making a child takes at most `attempts` tries on average; what
    cannot be made within them is filled up at random too.

    Where values go stale (`Task.keep`) the parents are the best of the architectures that are kept, and an
    architecture may be asked for again in every generation (Zhang et al., CVPR 2024, section 3.3).

    Args:
        task: What to search.
        population: Architectures per generation.
        parents: How many of the best are parents.
        mutations: Mutants per generation.
        crossovers: Crossover children per generation.
        mutation_p: Probability that a mutation resamples a decision.
        attempts: Tries per child.

    Raises:
        UsageError: several objectives, or sizes that do not fit together.
    """

    name = "evolution"

    def __init__(
        self,
        task: Task,
        *,
        population: int = 50,
        parents: int = 10,
        mutations: int = 25,
        crossovers: int = 25,
        mutation_p: float = 0.1,
        attempts: int = 10,
    ) -> None:
        task.require_one_objective("Evolution")
        if min(population, parents, attempts) < 1 or min(mutations, crossovers) < 0:
            raise UsageError("Evolution needs population, parents and attempts of at least 1 and no negative number.")
        if mutations + crossovers > population:
            raise UsageError(
                f"Evolution was to make {mutations} mutants and {crossovers} crossover children per generation, more "
                f"than its population of {population}; lower them or raise the population."
            )
        if not 0 <= mutation_p <= 1:
            raise UsageError(f"The mutation probability is {mutation_p}; it must lie between 0 and 1.")
        self.task = task
        self.population, self.parents, self.mutations, self.crossovers = population, parents, mutations, crossovers
        self.mutation_p, self.attempts = mutation_p, attempts
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
        children: list[Code] = []
        if self._ranks:
            space, rng = self.task.space, self._rng
            best = space.codes(sorted(self._ranks, key=self._ranks.__getitem__)[: self.parents])
            chosen = best[rng.integers(len(best), size=self.attempts * self.mutations)]
            children += self._admit(space.mutate(chosen, rng, p=self.mutation_p), self.mutations)
            first, second = best[rng.integers(len(best), size=(2, self.attempts * self.crossovers))]
            children += self._admit(space.crossover(first, second, rng), self.crossovers)
        fill = self._sampler.draw(self.population - len(children), self._visited)
        children += self._admit(fill, len(fill))
        return population(self.task.space, children)

    def _admit(self, candidates: Codes, n: int) -> list[Code]:
        """The first `n` candidates that are feasible and were never visited; they are from now on."""
        new = distinct(candidates[self.task.feasible(candidates)], self._visited)[:n]
        self._visited.update(new)
        return new
