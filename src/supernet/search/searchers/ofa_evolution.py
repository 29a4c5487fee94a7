"""The evolutionary search of OFA (Cai et al., ICLR 2020, https://arxiv.org/abs/1908.09791)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from supernet.io.section import Positive, Probability, Section
from supernet.paper import Paper
from supernet.search.problem import Problem
from supernet.search.remembering import Remembering
from supernet.search.searchers._elitist import Elitist
from supernet.search.variation import mutate_blocks
from supernet.space import Codes

Variant: TypeAlias = Literal["repository", "tutorial"]

PAPER = Paper(
    name="OFA",
    title="Once-for-All: Train One Network and Specialize it for Efficient Deployment",
    authors=("Cai", "Gan", "Wang", "Zhang", "Han"),
    venue="ICLR",
    year=2020,
    arxiv="1908.09791",
    provenance="official code",
)


@dataclass(frozen=True, kw_only=True)
class OFAEvolution(Section, place="ofa_evolution."):
    """Generations of 50 mutants and 50 crossovers of the best quarter, which stays; blocks mutate whole. One objective.

    OFA, [arXiv 1908.09791](https://arxiv.org/abs/1908.09791), section 3.4, and its code
    (`ofa/nas/search_algorithm/evolution.py`, or `ofa/tutorial/evolution_finder.py`). With a predictor its 500
    generations ask for 50,100 architectures; nothing keeps one from being asked for again, which is free.

    A mutation resamples a block, kernel and expansion together, with probability `mutation_p`, each depth alike, and
    the resolution with `resolution_p`.

    Args:
        population: Number of architectures of the first generation, and of children in each later one.
        parent_share: Share of the population that stays and is bred from.
        mutation_share: Share of the children that are mutants; the others are crossovers.
        mutation_p: Probability that a block, or a depth, is resampled.
        variant: Which of OFA's two programs: in that of the `"tutorial"` resolution mutates like a block.
        resolution_p: Probability that the resolution is resampled; None: 0.5, and `mutation_p` in the tutorial's.
        iterations: Number of generations after the first.
        attempts: Number of tries to make a feasible child; a parent stands in for one that is not made.

    Raises:
        UsageError: a number outside its range.
    """

    name: ClassVar[str] = "ofa_evolution"
    most_objectives: ClassVar[int] = 1

    population: Positive = 100
    parent_share: Probability = 0.25
    mutation_share: Probability = 0.5
    mutation_p: Probability = 0.1
    variant: Variant = "repository"
    resolution_p: Probability | None = None
    iterations: Positive = 500
    attempts: Positive = 10

    def begin(self, problem: Problem) -> Remembering:
        """Start a search, see `Searcher`.

        Raises:
            UsageError: several objectives.
        """
        problem.require_one_objective("OFA's evolution")
        mutants = round(self.mutation_share * self.population)
        elitist = Elitist(
            problem,
            first=self.population,
            parents=max(1, round(self.parent_share * self.population)),
            mutations=mutants,
            crossovers=self.population - mutants,
            iterations=self.iterations,
            attempts=self.attempts,
            mutate=partial(self._mutate, problem),
            apart=False,
        )
        return Remembering(problem, elitist.generation, elitist.learn)

    def _mutate(self, problem: Problem, codes: Codes, rng: np.random.Generator) -> Codes:
        usual = 0.5 if self.variant == "repository" else self.mutation_p
        resolution_p = usual if self.resolution_p is None else self.resolution_p
        return mutate_blocks(problem.space, codes, rng, p=self.mutation_p, resolution_p=resolution_p)
