"""NSGA-III (Deb and Jain, IEEE TEVC 2014) by pymoo, with the variation of the space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from supernet.errors import UsageError, require
from supernet.io.section import Positive, Probability, Section
from supernet.paper import Paper
from supernet.search.problem import Problem, Rounds
from supernet.search.searchers._pymoo import Mating, Sorting

PAPER = Paper(
    name="NSGA-III",
    title="An Evolutionary Many-Objective Optimization Algorithm Using Reference-Point-Based Nondominated Sorting "
    "Approach, Part I: Solving Problems With Box Constraints",
    authors=("Deb", "Jain"),
    venue="IEEE Transactions on Evolutionary Computation",
    journal=True,
    year=2014,
    url="https://doi.org/10.1109/TEVC.2013.2281535",
    provenance="others' code",
)


@dataclass(frozen=True, kw_only=True)
class NSGA3(Section, place="nsga3."):
    """Non-dominated sorting with reference directions, for three and more objectives; NAT searches so.

    Deb and Jain, IEEE Transactions on Evolutionary Computation 18(4), 2014
    ([doi](https://doi.org/10.1109/TEVC.2013.2281535)). Where `NSGA2` prefers members in sparse places,
    members are spread over directions from the best values found: all points with coordinates in steps of one over
    `partitions` that sum to 1 (Das and Dennis). Of two parents the feasible one is preferred, otherwise chance decides.
    The rest is as in `NSGA2`.

    Args:
        partitions: Number of steps along each objective: p of them make C(p + M − 1, M − 1) directions for M
            objectives, 91 for three objectives and 12 steps.
        population: Number of members of the population; None: one per direction.
        crossover_p: Probability that a child has two parents.
        mutation_p: Probability that a decision is resampled; None is one over the number of choices.
        attempts: Number of tries per child; what cannot be made within them is filled up at random.

    Raises:
        UsageError: a number outside its range.
    """

    name: ClassVar[str] = "nsga3"

    partitions: Positive = 12
    population: Positive | None = None
    crossover_p: Probability = 0.9
    mutation_p: Probability | None = None
    attempts: Positive = 10

    def begin(self, problem: Problem) -> Rounds:
        """Start a search, see `Searcher`.

        Raises:
            UsageError: one objective, or fewer members than directions.
            RunError: pymoo is not installed.
        """
        if len(problem.objectives) < 2:
            raise UsageError(
                "NSGA-III spreads a front over directions, and one objective has no front. Use evolution, or nsga2, or "
                "give a second objective such as macs."
            )
        sorting = Sorting(problem, lambda: self._algorithm(problem))
        return Rounds(sorting.generation, sorting.learn)

    def _algorithm(self, problem: Problem) -> Any:
        require("pymoo", "search", "NSGA-III")
        from pymoo.algorithms.moo import nsga3
        from pymoo.util.ref_dirs import get_reference_directions

        objectives = len(problem.objectives)
        directions = get_reference_directions("das-dennis", objectives, n_partitions=self.partitions)
        size = len(directions) if self.population is None else self.population
        if size < len(directions):
            raise UsageError(
                f"nsga3.population is {size}, and {self.partitions} partitions of {objectives} objectives make "
                f"{len(directions)} directions. Give at least as many members, or fewer partitions."
            )
        mating = Mating(problem, self.crossover_p, self.mutation_p, self.attempts, nsga3.comp_by_cv_then_random)
        return nsga3.NSGA3(
            directions, pop_size=size, sampling=mating.first(size), mating=mating, eliminate_duplicates=False
        )
