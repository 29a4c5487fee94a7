"""An explicit distribution over architectures, drawn to the best: population-based incremental learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.io.section import Count, Positive, Probability, Section
from supernet.paper import Paper
from supernet.search.parents import Parents
from supernet.search.problem import Problem, Rounds
from supernet.search.sampler import Code, distinct, population, sampler_of
from supernet.space import Arch, Codes

PAPER = Paper(
    name="PBIL",
    title="Population-Based Incremental Learning: A Method for Integrating Genetic Search Based Function Optimization "
    "and Competitive Learning",
    authors=("Baluja",),
    venue="Technical report CMU-CS-94-163",
    year=1994,
    url="https://www.ri.cmu.edu/publications/population-based-incremental-learning-a-method-for-integrating-genetic-search-"
    "based-function-optimization-and-competitive-learning/",
    provenance="reconstruction",
)


@dataclass(frozen=True, kw_only=True)
class PBIL(Section, place="pbil."):
    """Draws from one distribution per choice, which each generation moves to the best architectures. One objective.

    Baluja, 1994, on choices of any number of options: p ← (1 − rate) · p + rate · q, where q is the share of each
    option among the `parents` best so far in which the choice is active. It begins uniform; no option falls below
    `floor` of its uniform share. With `rate=1` it is the univariate marginal distribution algorithm. What is drawn is
    known at any time in closed form, which an evolution's proposals are not: under `Shifting` this is the distribution
    that the supernet is trained on.

    No architecture is asked for twice, unless values go stale (`Problem.keep`): then the best `again` of those that are
    kept are part of each generation, so that parents are compared by scores of one supernet.

    Args:
        population: Number of architectures per generation.
        parents: Number of best architectures that the distribution is moved to.
        rate: How far it is moved, 0 … 1.
        floor: The least share of its uniform probability that every option keeps.
        again: Number of the best that are asked for again where values go stale.
        attempts: Number of draws per architecture until one is feasible and new; then it is drawn uniformly.

    Raises:
        UsageError: a number outside its range, or more architectures again than the population holds.
    """

    name: ClassVar[str] = "pbil"
    most_objectives: ClassVar[int] = 1

    population: Positive = 50
    parents: Positive = 10
    rate: Probability = 0.3
    floor: Probability = 0.1
    again: Count = 0
    attempts: Positive = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.again > self.population:
            raise UsageError(
                f"PBIL was to ask for {self.again} architectures again, more than its population of "
                f"{self.population}; lower again or raise the population."
            )

    def begin(self, problem: Problem) -> Rounds:
        """Start a search, see `Searcher`.

        Raises:
            UsageError: several objectives.
        """
        problem.require_one_objective("PBIL")
        learning = _Learning(self, problem)
        return Rounds(learning.generation, learning.parents.learn)


class _Learning:
    def __init__(self, settings: PBIL, problem: Problem) -> None:
        self.settings, self.problem = settings, problem
        self._rng = np.random.default_rng(problem.seed)
        self._sampler = sampler_of(problem, self._rng)
        self.parents = Parents(problem, settings.parents)
        self.shares = [np.zeros(len(choice)) for choice in problem.space.choices]
        for share, allowed in zip(self.shares, problem.space.allowed_codes, strict=True):
            share[allowed] = 1 / len(allowed)

    def generation(self) -> list[Arch]:
        settings, space, parents = self.settings, self.problem.space, self.parents
        if not parents:
            return space.wrap(self._sampler.draw(settings.population, parents.visited))
        self._move()
        parents.age()
        repeated: list[Code] = []
        if self.problem.keep is not None:
            repeated = [arch.code for arch in parents.best(settings.again)]
            parents.visited.update(repeated)
        wanted = settings.population - len(repeated)
        drawn = self._drawn(settings.attempts * wanted)
        new = distinct(drawn[self.problem.feasible(drawn)], parents.visited)[:wanted]
        parents.visited.update(new)
        rest = self._sampler.draw(wanted - len(new), parents.visited)
        filled = distinct(rest, parents.visited)
        parents.visited.update(filled)
        return space.wrap(population(space, [*repeated, *new, *filled]))

    def _move(self) -> None:
        best = self.parents.best()
        for column, (share, allowed) in enumerate(zip(self.shares, self.problem.space.allowed_codes, strict=True)):
            chosen = [arch.code[column] for arch in best if arch.active[column]]
            if not chosen:
                continue
            good = np.bincount(chosen, minlength=len(share)) / len(chosen)
            share += self.settings.rate * (good - share)
            least = self.settings.floor / len(allowed)
            share[allowed] = least + (1 - self.settings.floor) * share[allowed] / share[allowed].sum()

    def _drawn(self, n: int) -> Codes:
        """Draws (n, D), each choice by itself."""
        space = self.problem.space
        columns: list[NDArray[np.int64]] = [
            self._rng.choice(len(share), size=n, p=share / share.sum()) for share in self.shares
        ]
        return space.canonical(np.stack(columns, axis=1).astype(np.int16))
