"""NSGA-II (Deb et al., IEEE TEC 2002) by pymoo, with the variation of the space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from supernet.errors import require
from supernet.io.section import Positive, Probability, Section
from supernet.paper import Paper
from supernet.search.problem import Problem, Rounds
from supernet.search.searchers._pymoo import Mating, Sorting

PAPER = Paper(
    name="NSGA-II",
    title="A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II",
    authors=("Deb", "Pratap", "Agarwal", "Meyarivan"),
    venue="IEEE Transactions on Evolutionary Computation",
    journal=True,
    year=2002,
    url="https://doi.org/10.1109/4235.996017",
    provenance="others' code",
)


@dataclass(frozen=True, kw_only=True)
class NSGA2(Section, place="nsga2."):
    """Non-dominated sorting with crowding, for any number of objectives.

    Deb, Pratap, Agarwal, Meyarivan: *A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II*, IEEE Transactions
    on Evolutionary Computation 6(2), 2002 ([doi](https://doi.org/10.1109/4235.996017)). pymoo decides who survives and
    who mates, through its own ask/tell interface. Children are made by the space, so that gated
    choices stay right: crossover with probability `crossover_p`, then every decision resampled with probability
    `mutation_p`. Constraints that are cheap to check are met by every child; of the others pymoo is told the
    excess, and prefers feasible to infeasible members. No architecture is asked for twice; where values go stale
    (`Problem.keep`) none is in one generation, and a member that is asked for again is told its latest values. What is
    remembered is the population.

    Args:
        population: Number of members of the population, and of children per generation.
        crossover_p: Probability that a child has two parents.
        mutation_p: Probability that a decision is resampled; None is one over the number of choices.
        attempts: Number of tries per child; what cannot be made within them is filled up at random.

    Raises:
        UsageError: a number outside its range.
    """

    name: ClassVar[str] = "nsga2"

    population: Positive = 50
    crossover_p: Probability = 0.9
    mutation_p: Probability | None = None
    attempts: Positive = 10

    def begin(self, problem: Problem) -> Rounds:
        """Start a search, see `Searcher`.

        Raises:
            RunError: pymoo is not installed.
        """
        sorting = Sorting(problem, lambda: self._algorithm(problem))
        return Rounds(sorting.generation, sorting.learn)

    def _algorithm(self, problem: Problem) -> Any:
        require("pymoo", "search", "NSGA-II")
        from pymoo.algorithms.moo import nsga2

        mating = Mating(problem, self.crossover_p, self.mutation_p, self.attempts, nsga2.binary_tournament)
        return nsga2.NSGA2(
            pop_size=self.population, sampling=mating.first(self.population), mating=mating, eliminate_duplicates=False
        )
