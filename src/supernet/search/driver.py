"""The loop that runs any searcher on any evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from supernet.errors import RunError, UsageError
from supernet.io.locking import locked
from supernet.measure.quantity import Quantity, objectives_of
from supernet.search.archive import Archive
from supernet.search.constraints import Bounds, Constraints
from supernet.search.evaluator import Evaluator, costs_of
from supernet.search.front import Front
from supernet.search.ledger import Ledger
from supernet.search.survey import Survey, survey
from supernet.search.task import Searcher, Task
from supernet.search.wrap import Wrap
from supernet.space import Arch, Codes, Space

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called as `progress(done, total, best)` after every evaluation."""

Announce: TypeAlias = Callable[[Survey], None]
"""Called as `announce(survey)` before the first evaluation."""

_IDLE_ROUNDS = 1000


def run(
    factory: Callable[[Task], Searcher],
    evaluator: Evaluator,
    *,
    objectives: str | Sequence[str],
    constraints: Mapping[str, Bounds] | Constraints | None = None,
    budget: int,
    seed: int = 0,
    initial: Sequence[Arch] = (),
    out: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    announce: Announce | None = None,
    wrap: Wrap | None = None,
) -> Front:
    """Search under constraints.

    Every architecture is evaluated at most once; asking for it again is free (`wrap` may change that). With `out`, each
    evaluation is appended to `out/search.jsonl` at once and the result goes to `out/front.json`. A resumed search ends
    with the very file an uninterrupted one writes, provided the evaluator repeats itself; a larger budget continues it.

    Args:
        factory: Makes the searcher from its task, such as `Evolution` or `lambda task: NSGA2(task, population=20)`.
        evaluator: Where values come from.
        objectives: Names of the quantities to optimise.
        constraints: Name → upper bound or (low, high). Cheap ones are checked before an architecture is proposed,
            others after it has been evaluated.
        budget: Largest number of architectures to evaluate.
        seed: Seed of everything random.
        initial: Architectures to begin with, the most important first, in place of random ones; those that violate a
            cheap constraint are left out.
        out: Folder of the record; None keeps none.
        resume: Continue the record in `out`, if there is one.
        progress: Called after every evaluation.
        announce: Called with the ranges of the cheap quantities and the feasible share, before the first evaluation.
        wrap: What goes on beside the search and changes the values, such as `Shifting`. Unless its `keep` is None
            an architecture may be evaluated again in every generation, which counts; the latest values hold.

    Raises:
        UsageError: the request is wrong, or nothing feasible exists or was found before the first evaluation.
        RunError: a value is not finite; the record belongs to another search; the searcher breaks its protocol; or
            no evaluated architecture satisfies the constraints.
    """
    request = examine(evaluator, objectives=objectives, constraints=constraints, budget=budget, seed=seed)
    goals, limits, quick, found = request.goals, request.limits, request.quick, request.found
    names = request.names

    def feasible(codes: Codes) -> NDArray[np.bool_]:
        satisfied: NDArray[np.bool_] = quick.violations(costs_of(evaluator, codes, quick.names), len(codes)) == 0
        return satisfied

    keep = None if wrap is None else wrap.keep
    first = _allowed(evaluator.space, initial, feasible)
    searcher = factory(Task(evaluator.space, goals, seed, feasible, limits, found.known, keep, first))
    if announce is not None:
        announce(found)
    with nullcontext() if out is None else locked(out), Archive(out, evaluator.space, names, resume=resume) as archive:
        if len(archive.recorded) > budget:
            raise UsageError(
                f"{archive.path} holds {len(archive.recorded)} evaluations, more than the budget of {budget}; "
                "resume with at least that budget."
            )
        companion = None
        if wrap is not None:
            folder = None if out is None else Path(out)
            companion = wrap.begin(evaluator, seed=seed, out=folder, recorded=len(archive.recorded))
        ledger = Ledger(evaluator, goals, limits, names, archive, keep=keep, companion=companion)
        stopped = _search(searcher, ledger, budget, progress)
        ledger.check_replayed()
        if companion is not None:
            companion.end(len(ledger.evaluations))
    if ledger.feasible == 0:
        raise RunError(ledger.nothing_feasible())
    front = Front(
        goals,
        limits,
        tuple(ledger.evaluations),
        found.ranges,
        found.feasible_share,
        searcher.name,
        stopped,
        remembered=ledger.remembered() if wrap is not None else None,
        wrap=wrap.describe() if wrap is not None else None,
    )
    if out is not None:
        front.write(Path(out))
    return front


@dataclass(frozen=True)
class Request:
    """A search that was found possible.

    Attributes:
        goals: What is optimised.
        limits: What must hold.
        quick: Those of the limits that are cheap to check.
        names: All quantities that are asked for.
        found: The survey of the space.
    """

    goals: tuple[Quantity, ...]
    limits: Constraints
    quick: Constraints
    names: tuple[str, ...]
    found: Survey


def examine(
    evaluator: Evaluator,
    *,
    objectives: str | Sequence[str],
    constraints: Mapping[str, Bounds] | Constraints | None,
    budget: int,
    seed: int,
) -> Request:
    """Check a search before anything is evaluated; arguments and errors are those of `run`."""
    goals = objectives_of(objectives, evaluator.quantities)
    limits = Constraints.of(constraints, evaluator.quantities)
    if budget < 1:
        raise UsageError(f"The budget is {budget} evaluations; give at least 1.")
    if seed < 0:
        raise UsageError(f"The seed is {seed}; give an integer of at least 0.")
    names = tuple(dict.fromkeys([goal.name for goal in goals] + list(limits.names)))
    cheap = [name for name in names if name in evaluator.cheap]
    quick = limits.only(cheap)
    # The survey has a stream of its own: what it draws does not shift what the searcher draws.
    found = survey(evaluator, cheap, quick, np.random.default_rng([seed, 1]))
    return Request(goals, limits, quick, names, found)


def _allowed(space: Space, initial: Sequence[Arch], feasible: Callable[[Codes], NDArray[np.bool_]]) -> Codes | None:
    """Those architectures to begin with that may be evaluated.

    Raises:
        UsageError: there are some, but none of them may.
    """
    if not initial:
        return None
    codes = space.codes(list(initial))
    allowed = codes[feasible(codes)]
    if not len(allowed):
        raise UsageError(
            f"None of the {len(codes)} architectures to begin with satisfies the constraints. Widen these, or begin at "
            "random: leave `initial` (--pool) out."
        )
    return allowed


def _search(searcher: Searcher, ledger: Ledger, budget: int, progress: Progress | None) -> str:
    generation, idle = 0, 0
    while (before := len(ledger.evaluations)) < budget:
        archs = searcher.ask(budget - before)
        if not archs:
            return "exhausted"
        if len(archs) > budget - before:
            raise RunError(f"{searcher.name} asked for {len(archs)} architectures when at most {budget - before} fit.")
        costs = ledger.costs(archs, searcher.name)
        if ledger.companion is not None:
            ledger.companion.begin_generation(generation, before)
        for arch, cost in zip(archs, costs, strict=True):
            if ledger.settle(arch, cost, generation) and progress is not None:
                progress(len(ledger.evaluations), budget, ledger.best())
        searcher.tell(archs, [ledger.known[arch].values for arch in archs])
        ledger.end_generation()
        generation += 1
        idle = 0 if len(ledger.evaluations) > before else idle + 1
        if idle == _IDLE_ROUNDS:
            return "stalled"
    return "budget"
