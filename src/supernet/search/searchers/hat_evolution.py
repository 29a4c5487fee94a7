"""The evolutionary search of HAT (Wang et al., ACL 2020, https://arxiv.org/abs/2005.14187)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from supernet.io.section import Count, Positive, Probability, Section
from supernet.paper import Paper
from supernet.search.problem import Problem
from supernet.search.remembering import Remembering
from supernet.search.searchers._elitist import Elitist
from supernet.space import Codes

PAPER = Paper(
    name="HAT",
    title="HAT: Hardware-Aware Transformers for Efficient Natural Language Processing",
    authors=("Wang", "Wu", "Liu", "Cai", "Zhu", "Gan", "Han"),
    venue="ACL",
    year=2020,
    arxiv="2005.14187",
    provenance="official code",
)


@dataclass(frozen=True, kw_only=True)
class HATEvolution(Section, place="hat_evolution."):
    """A population of 125: the 25 best, 50 mutants and 50 crossovers of them, 30 times. One objective.

    HAT, [arXiv 2005.14187](https://arxiv.org/abs/2005.14187), section 3.2, and its code (`fairseq/evolution.py`). The
    objective is the validation loss (`--objectives loss`, or of sequences `perplexity`, which weighs tokens alike), the
    bound on latency, which is cheap where a table or a predictor tells it. A mutation resamples decisions; two
    different members cross. An architecture may be in the population twice, as in the code; asking for it again is
    free.

    Args:
        parents: Number of best that stay and are bred from.
        mutations: Number of mutants per generation.
        crossovers: Number of crossover children per generation.
        mutation_p: Probability that a mutation resamples a decision.
        iterations: Number of evaluated generations, the first included.
        attempts: Number of tries to make a feasible child; a parent stands in for one that is not made.

    Raises:
        UsageError: a number outside its range.
    """

    name: ClassVar[str] = "hat_evolution"
    most_objectives: ClassVar[int] = 1

    parents: Positive = 25
    mutations: Count = 50
    crossovers: Count = 50
    mutation_p: Probability = 0.3
    iterations: Positive = 30
    attempts: Positive = 10

    def begin(self, problem: Problem) -> Remembering:
        """Start a search, see `Searcher`.

        Raises:
            UsageError: several objectives.
        """
        problem.require_one_objective("HAT's evolution")
        elitist = Elitist(
            problem,
            first=self.parents + self.mutations + self.crossovers,
            parents=self.parents,
            mutations=self.mutations,
            crossovers=self.crossovers,
            iterations=self.iterations - 1,
            attempts=self.attempts,
            mutate=partial(self._mutate, problem),
            apart=True,
        )
        return Remembering(problem, elitist.generation, elitist.learn)

    def _mutate(self, problem: Problem, codes: Codes, rng: np.random.Generator) -> Codes:
        return problem.space.mutate(codes, rng, p=self.mutation_p)
