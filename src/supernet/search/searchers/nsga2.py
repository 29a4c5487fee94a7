"""NSGA-II (Deb et al., IEEE TEC 2002) by pymoo, with the variation of the space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from supernet.errors import UsageError, require
from supernet.io.config import Positive, Probability, Section
from supernet.paper import Paper
from supernet.search.problem import Problem, Rounds
from supernet.search.sampler import Code, distinct, population, sampler_of
from supernet.space import Arch, Codes

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
        sorting = _Sorting(self, problem)
        return Rounds(sorting.generation, sorting.learn)


class _Sorting:
    def __init__(self, settings: NSGA2, problem: Problem) -> None:
        self.problem = problem
        self._algorithm = _algorithm(problem, settings.population, _Mating(problem, settings))
        self._generation: Any = None  # pymoo's population that is being evaluated
        self._values: dict[Code, Mapping[str, float]] = {}

    def generation(self) -> list[Arch]:
        """What pymoo asks for; nothing while some of a generation have been asked for but not told."""
        if self._generation is not None:
            return []
        if self.problem.keep is not None:
            self._values.clear()
        self._generation = self._algorithm.ask()
        return [] if self._generation is None else self.problem.space.wrap(self._generation.get("X"))

    def learn(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        """Values; pymoo moves on when its generation is complete.

        Raises:
            UsageError: nothing has been asked for yet.
        """
        from pymoo.core.evaluator import Evaluator
        from pymoo.problems.static import StaticProblem

        if self._generation is None:
            raise UsageError("NSGA-II learns only what it asked for: call ask before tell.")
        self._values.update((arch.code, told) for arch, told in zip(archs, values, strict=True))
        codes = [tuple(row) for row in self._generation.get("X").tolist()]
        if not all(code in self._values for code in codes):
            return
        told = [self._values[code] for code in codes]
        columns = {name: np.asarray([v[name] for v in told]) for name in self.problem.constraints.names}
        losses = np.asarray([self.problem.losses(v) for v in told])
        excesses = self.problem.constraints.excesses(columns, len(told))
        if self.problem.keep is not None and self._algorithm.pop is not None:
            again = set(codes)
            stale = [tuple(row) in again for row in self._algorithm.pop.get("X").tolist()]
            self._algorithm.pop = self._algorithm.pop[~np.asarray(stale, dtype=bool)]
        Evaluator().eval(StaticProblem(self._algorithm.problem, F=losses, G=excesses), self._generation)
        self._algorithm.tell(infills=self._generation)
        self._generation = None


class _Mating:
    """What pymoo calls to get children: its own tournament, the space's crossover and mutation."""

    def __init__(self, problem: Problem, settings: NSGA2) -> None:
        self.problem, self.settings = problem, settings
        self.mutation_p = 1 / max(len(problem.space), 1) if settings.mutation_p is None else settings.mutation_p
        self.visited: set[Code] = set()
        self.sampler = sampler_of(problem, np.random.default_rng(problem.seed))

    def first(self, n: int) -> Codes:
        codes = self.sampler.draw(n)
        self.visited.update(distinct(codes))
        return codes

    def do(self, problem: Any, pop: Any, n: int, *, algorithm: Any, random_state: np.random.Generator) -> Any:
        from pymoo.algorithms.moo.nsga2 import binary_tournament
        from pymoo.core.population import Population
        from pymoo.operators.selection.tournament import TournamentSelection

        if self.problem.keep is not None:
            self.visited.clear()
        selection = TournamentSelection(func_comp=binary_tournament)
        children: list[Code] = []
        for _ in range(self.settings.attempts):
            pairs = selection.do(
                problem, pop, n - len(children), 2, to_pop=False, algorithm=algorithm, random_state=random_state
            )
            candidates = self._vary(pop.get("X")[pairs], random_state)
            new = distinct(candidates[self.problem.feasible(candidates)], self.visited)
            self.visited.update(new)
            children += new
            if len(children) == n:
                break
        fill = distinct(self.sampler.draw(n - len(children), self.visited))
        self.visited.update(fill)
        return Population.new("X", population(self.problem.space, children + fill))

    def _vary(self, parents: Codes, rng: np.random.Generator) -> Codes:
        """Children (N, D) of pairs (N, 2, D)."""
        first, second = parents[:, 0], parents[:, 1]
        mixed = rng.random(len(parents)) < self.settings.crossover_p
        child = np.where(mixed[:, None], self.problem.space.crossover(first, second, rng), first)
        return self.problem.space.mutate(child, rng, p=self.mutation_p)


def _algorithm(problem: Problem, size: int, mating: _Mating) -> Any:
    require("pymoo", "search", "NSGA-II")
    from pymoo.algorithms.moo import nsga2
    from pymoo.core.problem import Problem as PymooProblem
    from pymoo.core.termination import NoTermination

    posed = PymooProblem(
        n_var=len(problem.space), n_obj=len(problem.objectives), n_ieq_constr=len(problem.constraints), xl=None, xu=None
    )
    algorithm = nsga2.NSGA2(pop_size=size, sampling=mating.first(size), mating=mating, eliminate_duplicates=False)
    algorithm.setup(posed, termination=NoTermination(), seed=problem.seed)
    return algorithm
