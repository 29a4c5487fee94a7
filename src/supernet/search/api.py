"""The searches, one function each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supernet.errors import UsageError
from supernet.search.constraints import Bounds, Constraints
from supernet.search.driver import Announce, Progress, run
from supernet.search.evaluator import Evaluator
from supernet.search.front import Front
from supernet.search.searchers import NSGA2, Evolution, RandomSearch, RegularisedEvolution
from supernet.search.task import Searcher, Task
from supernet.search.wrap import Wrap
from supernet.space import Arch

if TYPE_CHECKING:
    from supernet.data import ImageData
    from supernet.nn import Supernet


def random(
    subject: Supernet | Evaluator,
    data: ImageData | None = None,
    *,
    objectives: str | Sequence[str] = ("accuracy",),
    constraints: Mapping[str, Bounds] | Constraints | None = None,
    budget: int = 1000,
    seed: int = 0,
    initial: Sequence[Arch] = (),
    out: Path | str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    announce: Announce | None = None,
    wrap: Wrap | None = None,
) -> Front:
    """Random search (`RandomSearch`).

    Args:
        subject: A trained supernet, or any evaluator.
        data: Images, with a supernet: accuracy is that of the validation images with batch norm calibrated on 2,000
            training images. For other settings pass a `measure.NetEvaluator`.
        objectives: See `run`, also for the rest and for the errors.
        constraints: Name → upper bound, or (low, high).
        budget: Largest number of architectures to evaluate.
        seed: Seed of everything random.
        initial: Architectures to begin with, such as those that an earlier search found or that a training by GreedyNAS
            kept (`train.load_candidates`); then random ones.
        out: Folder of the record; None keeps none.
        resume: Continue the record in `out`.
        progress: Called after every evaluation.
        announce: Called with the survey of the space before the first evaluation.
        wrap: What goes on beside the search, such as `Shifting`, which trains the supernet while it is searched.
    """
    common = (objectives, constraints, budget, seed, initial, out, resume, progress, announce, wrap)
    return _searched(RandomSearch, subject, data, *common)


def evolution(
    subject: Supernet | Evaluator,
    data: ImageData | None = None,
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
    initial: Sequence[Arch] = (),
    out: Path | str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    announce: Announce | None = None,
    wrap: Wrap | None = None,
) -> Front:
    """SPOS's evolutionary search (`Evolution`); the budget of 1,000 is its 20 generations of 50.

    The other arguments are those of `random`.
    """

    def factory(task: Task) -> Searcher:
        return Evolution(
            task,
            population=population,
            parents=parents,
            mutations=mutations,
            crossovers=crossovers,
            mutation_p=mutation_p,
        )

    common = (objectives, constraints, budget, seed, initial, out, resume, progress, announce, wrap)
    return _searched(factory, subject, data, *common)


def regularised_evolution(
    subject: Supernet | Evaluator,
    data: ImageData | None = None,
    *,
    population: int = 100,
    sample: int = 25,
    objectives: str | Sequence[str] = ("accuracy",),
    constraints: Mapping[str, Bounds] | Constraints | None = None,
    budget: int = 1000,
    seed: int = 0,
    initial: Sequence[Arch] = (),
    out: Path | str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    announce: Announce | None = None,
    wrap: Wrap | None = None,
) -> Front:
    """Regularised evolution (`RegularisedEvolution`). The other arguments are those of `random`."""

    def factory(task: Task) -> Searcher:
        return RegularisedEvolution(task, population=population, sample=sample)

    common = (objectives, constraints, budget, seed, initial, out, resume, progress, announce, wrap)
    return _searched(factory, subject, data, *common)


def nsga2(
    subject: Supernet | Evaluator,
    data: ImageData | None = None,
    *,
    population: int = 50,
    crossover_p: float = 0.9,
    mutation_p: float | None = None,
    objectives: str | Sequence[str] = ("accuracy", "macs"),
    constraints: Mapping[str, Bounds] | Constraints | None = None,
    budget: int = 1000,
    seed: int = 0,
    initial: Sequence[Arch] = (),
    out: Path | str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    announce: Announce | None = None,
    wrap: Wrap | None = None,
) -> Front:
    """NSGA-II (`NSGA2`) for several objectives. The other arguments are those of `random`."""

    def factory(task: Task) -> Searcher:
        return NSGA2(task, population=population, crossover_p=crossover_p, mutation_p=mutation_p)

    common = (objectives, constraints, budget, seed, initial, out, resume, progress, announce, wrap)
    return _searched(factory, subject, data, *common)


def _searched(
    factory: Callable[[Task], Searcher],
    subject: Supernet | Evaluator,
    data: ImageData | None,
    objectives: str | Sequence[str],
    constraints: Mapping[str, Bounds] | Constraints | None,
    budget: int,
    seed: int,
    initial: Sequence[Arch],
    out: Path | str | None,
    resume: bool,
    progress: Progress | None,
    announce: Announce | None,
    wrap: Wrap | None,
) -> Front:
    return run(
        factory,
        _evaluator(subject, data),
        objectives=objectives,
        constraints=constraints,
        budget=budget,
        seed=seed,
        initial=initial,
        out=None if out is None else Path(out),
        resume=resume,
        progress=progress,
        announce=announce,
        wrap=wrap,
    )


def _evaluator(subject: Any, data: ImageData | None) -> Evaluator:
    if hasattr(subject, "evaluate"):
        if data is not None:
            raise UsageError("An evaluator brings its own data; pass `data` only with a supernet.")
        evaluator: Evaluator = subject
        return evaluator
    from supernet.measure import NetEvaluator
    from supernet.nn import Supernet

    if not isinstance(subject, Supernet):
        raise UsageError(f"A search needs a Supernet or an evaluator; got {type(subject).__name__}.")
    if data is None:
        raise UsageError("To search a supernet pass the images that its subnets are judged on: search.…(net, data, …).")
    return NetEvaluator(subject, data.sealed())
