"""The searches, one function each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from supernet.search.constraints import Bounds, Constraints
from supernet.search.driver import Progress, run
from supernet.search.evaluator import Evaluator
from supernet.search.front import Front
from supernet.search.searchers import NSGA2, Evolution, RandomSearch, RegularisedEvolution


def random(
    evaluator: Evaluator,
    *,
    objectives: str | Sequence[str] = ("accuracy",),
    constraints: Mapping[str, Bounds] | Constraints | None = None,
    budget: int = 1000,
    seed: int = 0,
    out: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Front:
    """Random search (`RandomSearch`); the other arguments and the errors are those of `run`."""
    return run(
        RandomSearch,
        evaluator,
        objectives=objectives,
        constraints=constraints,
        budget=budget,
        seed=seed,
        out=out,
        resume=resume,
        progress=progress,
    )


def evolution(
    evaluator: Evaluator,
    *,
    population: int = 50,
    parents: int = 10,
    mutations: int = 25,
    crossovers: int = 25,
    mutation_p: float = 0.1,
    objectives: str | Sequence[str] = ("accuracy",),
    constraints: Mapping[str, Bounds] | Constraints | None = None,
    budget: int = 1000,
    seed: int = 0,
    out: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Front:
    """SPOS's evolutionary search (`Evolution`); the budget of 1,000 is its 20 generations of 50.

    The other arguments and the errors are those of `run`.
    """
    return run(
        lambda task: Evolution(
            task,
            population=population,
            parents=parents,
            mutations=mutations,
            crossovers=crossovers,
            mutation_p=mutation_p,
        ),
        evaluator,
        objectives=objectives,
        constraints=constraints,
        budget=budget,
        seed=seed,
        out=out,
        resume=resume,
        progress=progress,
    )


def regularised_evolution(
    evaluator: Evaluator,
    *,
    population: int = 100,
    sample: int = 25,
    objectives: str | Sequence[str] = ("accuracy",),
    constraints: Mapping[str, Bounds] | Constraints | None = None,
    budget: int = 1000,
    seed: int = 0,
    out: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Front:
    """Regularised evolution (`RegularisedEvolution`); the other arguments and the errors are those of `run`."""
    return run(
        lambda task: RegularisedEvolution(task, population=population, sample=sample),
        evaluator,
        objectives=objectives,
        constraints=constraints,
        budget=budget,
        seed=seed,
        out=out,
        resume=resume,
        progress=progress,
    )


def nsga2(
    evaluator: Evaluator,
    *,
    population: int = 50,
    crossover_p: float = 0.9,
    mutation_p: float | None = None,
    objectives: str | Sequence[str] = ("accuracy", "macs"),
    constraints: Mapping[str, Bounds] | Constraints | None = None,
    budget: int = 1000,
    seed: int = 0,
    out: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Front:
    """NSGA-II (`NSGA2`) for several objectives; the other arguments and the errors are those of `run`."""
    return run(
        lambda task: NSGA2(task, population=population, crossover_p=crossover_p, mutation_p=mutation_p),
        evaluator,
        objectives=objectives,
        constraints=constraints,
        budget=budget,
        seed=seed,
        out=out,
        resume=resume,
        progress=progress,
    )
