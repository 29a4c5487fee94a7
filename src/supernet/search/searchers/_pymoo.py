"""Algorithms of pymoo, with the variation of the space."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from supernet.errors import UsageError
from supernet.search.problem import Problem
from supernet.search.sampler import Code, distinct, population, sampler_of
from supernet.space import Arch, Codes


class Sorting:
    """An algorithm of pymoo, asked and told a generation at a time.

    Args:
        problem: The problem.
        build: Makes the algorithm.
    """

    def __init__(self, problem: Problem, build: Callable[[], Any]) -> None:
        self.problem = problem
        self._algorithm = build()
        self._algorithm.setup(_posed(problem), termination=_unending(), seed=problem.seed)
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
            raise UsageError("NSGA learns only what it asked for: call ask before tell.")
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


class Mating:
    """What pymoo calls to get children: a tournament of its own, the space's crossover and mutation.

    Args:
        problem: The problem.
        crossover_p: Probability that a child has two parents.
        mutation_p: Probability that a decision is resampled; None is one over the number of choices.
        attempts: Number of tries per child.
        tournament: pymoo's function that says which of two members wins.
    """

    def __init__(
        self, problem: Problem, crossover_p: float, mutation_p: float | None, attempts: int, tournament: Any
    ) -> None:
        self.problem, self.crossover_p, self.attempts, self.tournament = problem, crossover_p, attempts, tournament
        self.mutation_p = 1 / max(len(problem.space), 1) if mutation_p is None else mutation_p
        self.visited: set[Code] = set()
        self.sampler = sampler_of(problem, np.random.default_rng(problem.seed))

    def first(self, n: int) -> Codes:
        codes = self.sampler.draw(n)
        self.visited.update(distinct(codes))
        return codes

    def do(self, problem: Any, pop: Any, n: int, *, algorithm: Any, random_state: np.random.Generator) -> Any:
        from pymoo.core.population import Population
        from pymoo.operators.selection.tournament import TournamentSelection

        if self.problem.keep is not None:
            self.visited.clear()
        selection = TournamentSelection(func_comp=self.tournament)
        children: list[Code] = []
        for _ in range(self.attempts):
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
        mixed = rng.random(len(parents)) < self.crossover_p
        child = np.where(mixed[:, None], self.problem.space.crossover(first, second, rng), first)
        return self.problem.space.mutate(child, rng, p=self.mutation_p)


def _posed(problem: Problem) -> Any:
    from pymoo.core.problem import Problem as PymooProblem

    return PymooProblem(
        n_var=len(problem.space), n_obj=len(problem.objectives), n_ieq_constr=len(problem.constraints), xl=None, xu=None
    )


def _unending() -> Any:
    from pymoo.core.termination import NoTermination

    return NoTermination()
