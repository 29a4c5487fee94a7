"""The evolutionary search of SPOS (Guo et al., ECCV 2020, algorithm 1, https://arxiv.org/abs/1904.00420)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from supernet.errors import UsageError
from supernet.io.section import Count, Positive, Probability, Section
from supernet.paper import Paper
from supernet.search.parents import Parents
from supernet.search.problem import Problem, Rounds
from supernet.search.sampler import Code, distinct, population, sampler_of
from supernet.search.variation import mutate_parts
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


@dataclass(frozen=True, kw_only=True)
class Evolution(Section, place="evolution."):
    """Generations of mutants and crossovers of the best architectures of all time. One objective.

    SPOS, Guo et al., *Single Path One-Shot Neural Architecture Search with Uniform Sampling*, ECCV 2020, algorithm 1
    ([arXiv 1904.00420](https://arxiv.org/abs/1904.00420)); the defaults and a budget of 1,000, its 20 generations of
    50, are the paper's.

    The first generation is random. Each later one holds `mutations` mutants of random parents, `crossovers` children
    of random pairs of parents, and is filled up at random. The parents are the `parents` best of everything told so
    far. No architecture is asked for twice. Making a child takes at most `attempts` tries on average; what
    cannot be made within them is filled up at random too.

    Where values go stale (`Problem.keep`) the parents are the best of the architectures that are kept, and an
    architecture may be asked for again in every generation (Zhang et al., CVPR 2024, section 3.3,
    [arXiv 2403.11380](https://arxiv.org/abs/2403.11380)).

    Args:
        population: Number of architectures per generation.
        parents: Number of best architectures that are bred from.
        mutations: Number of mutants per generation; None: half of the population, as published.
        crossovers: Number of crossover children per generation; None: the other half.
        mutation_p: Probability that a mutation resamples a decision.
        global_p: Probability that it resamples a decision of the whole network (its name has neither a dot nor a
            number) or a depth (others depend on it), such as 0.4 in AutoFormer; None: as any other.
        attempts: Number of tries to make a child that is feasible and new.
        again: Number of the best that are part of each later generation again where values go stale, so that parents
            are compared by scores of one supernet; the published search asks for none on purpose.

    Raises:
        UsageError: a number outside its range, or more children, with those that come again, than the population holds.
    """

    name: ClassVar[str] = "evolution"
    most_objectives: ClassVar[int] = 1

    population: Positive = 50
    parents: Positive = 10
    mutations: Count | None = None
    crossovers: Count | None = None
    mutation_p: Probability = 0.1
    global_p: Probability | None = None
    attempts: Positive = 10
    again: Count = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        left = max(0, self.population - self.again)
        mutations = left - left // 2 if self.mutations is None else self.mutations
        crossovers = left // 2 if self.crossovers is None else self.crossovers
        if self.again + mutations + crossovers > self.population:
            again = f" and to ask for {self.again} again" if self.again else ""
            raise UsageError(
                f"Evolution was to make {mutations} mutants and {crossovers} crossover children per "
                f"generation{again}, more than its population of {self.population}; lower them or raise the population."
            )
        object.__setattr__(self, "mutations", mutations)
        object.__setattr__(self, "crossovers", crossovers)

    def begin(self, problem: Problem) -> Rounds:
        """Start a search, see `Searcher`.

        Raises:
            UsageError: several objectives.
        """
        problem.require_one_objective("Evolution")
        breeding = _Breeding(self, problem)
        return Rounds(breeding.generation, breeding.parents.learn)


class _Breeding:
    def __init__(self, settings: Evolution, problem: Problem) -> None:
        self.settings, self.problem = settings, problem
        self._rng = np.random.default_rng(problem.seed)
        self._sampler = sampler_of(problem, self._rng)
        self.parents = Parents(problem, settings.parents)

    def generation(self) -> list[Arch]:
        settings, parents = self.settings, self.parents
        parents.age()
        children: list[Code] = []
        if self.problem.keep is not None:
            children += [arch.code for arch in parents.best(settings.again)]
            parents.visited.update(children)
        if parents:
            space, rng = self.problem.space, self._rng
            mutations, crossovers = settings.mutations or 0, settings.crossovers or 0
            best = space.codes(parents.best())
            chosen = best[rng.integers(len(best), size=settings.attempts * mutations)]
            children += self._admit(self._mutants(chosen), mutations)
            first, second = best[rng.integers(len(best), size=(2, settings.attempts * crossovers))]
            children += self._admit(space.crossover(first, second, rng), crossovers)
        fill = self._sampler.draw(settings.population - len(children), parents.visited)
        children += self._admit(fill, len(fill))
        return self.problem.space.wrap(population(self.problem.space, children))

    def _mutants(self, chosen: Codes) -> Codes:
        settings, space = self.settings, self.problem.space
        if settings.global_p is None:
            return space.mutate(chosen, self._rng, p=settings.mutation_p)
        return mutate_parts(space, chosen, self._rng, p=settings.mutation_p, global_p=settings.global_p)

    def _admit(self, candidates: Codes, n: int) -> list[Code]:
        """The first `n` candidates that are feasible and were never visited; they are from now on."""
        new = distinct(candidates[self.problem.feasible(candidates)], self.parents.visited)[:n]
        self.parents.visited.update(new)
        return new
