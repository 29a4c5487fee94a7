"""The one entry point of a search, and the loop that runs any searcher on any evaluator."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Unpack, cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from supernet.data import Data
from supernet.data.data import check_data
from supernet.errors import RunError, UsageError
from supernet.io.locking import locked
from supernet.measure import NetEvaluator
from supernet.measure.evaluator import AHEAD
from supernet.nn import Supernet
from supernet.nn.given import check_supernet
from supernet.quantity import LATENCY_MS, SCORE, Quantity, objectives_of
from supernet.search.archive import Archive, Begun, described
from supernet.search.constraints import Bounds, Constraints
from supernet.search.evaluation import Evaluator, costs_of
from supernet.search.front import Front
from supernet.search.joining import Joining, resolved
from supernet.search.ledger import Ledger
from supernet.search.problem import AskTell, Predicting, Problem, Searcher, Terms, Wrap
from supernet.search.request import Announce, Progress, Request
from supernet.search.survey import Survey, survey
from supernet.space import Arch, Codes, Space
from supernet.train.recipe import describe

__all__ = ["check", "run"]

_IDLE_ROUNDS = 1000


def run(
    searcher: Searcher,
    subject: Supernet | Evaluator,
    data: Data | None = None,
    *,
    objectives: str | Sequence[str] = (SCORE,),
    constraints: Mapping[str, Bounds] | Constraints | None = None,
    budget: int = 1000,
    seed: int = 0,
    initial: Sequence[Arch] = (),
    out: Path | str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    announce: Announce | None = None,
    wrap: Wrap | None = None,
    reference: int = 100,
) -> Front:
    """Search under constraints.

    Every architecture is evaluated at most once; asking for it again is free (`wrap` may change that). With `out`, the
    request is written to `out/search.json` before the first result, each evaluation is appended to `out/search.jsonl`
    at once, and the result goes to `out/front.json`. A resumed search ends with the very files an uninterrupted one
    writes, provided the evaluator repeats itself; a larger budget continues it.

    Args:
        searcher: A searcher with its settings, such as `NSGA2(population=20)`.
        subject: A trained supernet, or any evaluator.
        data: The images, with a supernet: scores are those of the validation images with batch norm calibrated on
            2,000 training images. For other settings pass a `measure.NetEvaluator`.
        objectives: Names of the quantities to optimise; `score` is what the method, or else the task, ranks by. A
            score without training has its name, such as `"az_nas"`; several parts joined by ranks are one objective,
            such as `"accuracy+az_nas"` (`supernet.search.joining`).
        constraints: Bounds by name, an upper one or (low, high). Those on cheap quantities are checked before an
            architecture is proposed, the others after it has been evaluated.
        budget: Largest number of architectures to evaluate.
        seed: Seed of everything random.
        initial: Architectures to begin with in place of random ones, the most important first, such as those that a
            training by GreedyNAS kept (`train.load_candidates`). Those that violate a cheap constraint are left out; a
            searcher that breeds a population asks for no more than its first generation holds.
        out: Folder of the record; None keeps none.
        resume: Whether to continue the record in `out`, if there is one. It must have been begun with this request; the
            budget may be larger.
        progress: Called as `progress(done, total, best)` after every evaluation.
        announce: Called with the `Survey`, the ranges of the cheap quantities and the feasible share, before the first.
        wrap: What goes on beside the search and changes the values, such as `Shifting`. Unless its `keep` is None
            an architecture may be evaluated again in every generation, which counts; the latest values hold.
        reference: Number of random architectures that the parts of joined objectives are ranked within; they are
            scored beside the budget.

    Raises:
        UsageError: the request is wrong, or contradicts the one that the record was begun with, or nothing feasible
            exists or was found before the first evaluation.
        RunError: a value is not finite; the record belongs to another search; the searcher breaks its protocol; or
            no evaluated architecture satisfies the constraints.
    """
    asked = Request(
        objectives=objectives,
        constraints=constraints,
        budget=budget,
        seed=seed,
        initial=initial,
        wrap=wrap,
        reference=reference,
    )
    evaluator = _joining(_evaluator(subject, data), asked)
    problem, begins, found, begun, names = _plan(searcher, evaluator, asked)
    folder = None if out is None else Path(out)
    if announce is not None:
        announce(found)
    with (
        nullcontext() if folder is None else locked(folder),
        Archive(folder, begun, problem.space, names, resume=resume) as archive,
    ):
        companion = None
        if wrap is not None:
            companion = wrap.begin(evaluator, seed=seed, out=folder, recorded=len(archive.recorded))
        if folder is not None:
            begun.write(folder)
            if isinstance(evaluator, Joining):
                evaluator.keep_in(folder)
        predicting = begins if isinstance(begins, Predicting) else None
        ledger = Ledger(evaluator, problem, names, archive, companion, predicting)
        stopped = _search(begins, searcher.name, ledger, budget, progress)
        ledger.check_replayed()
        if companion is not None:
            companion.end(len(ledger.evaluations))
    if ledger.feasible == 0:
        raise RunError(ledger.nothing_feasible())
    front = Front(
        problem.objectives,
        problem.constraints,
        tuple(ledger.evaluations),
        found.ranges,
        found.feasible_share,
        searcher.name,
        stopped,
        remembered=ledger.remembered() if wrap is not None else None,
        wrap=wrap.describe() if wrap is not None else None,
        predictor=None if predicting is None else predicting.findings(),
        joined=evaluator.findings(ledger.evaluations) if isinstance(evaluator, Joining) and evaluator.parts else None,
    )
    if folder is not None:
        front.write(folder)
    return front


def check(
    searcher: Searcher, subject: Supernet | Evaluator, data: Data | None = None, **request: Unpack[Request]
) -> None:
    """Raise what `run` would raise before its first evaluation, so that no long training ends in a refusal.

    The arguments are those of `run`.
    """
    _plan(searcher, _joining(_evaluator(subject, data), request), request)


class _Plan(NamedTuple):
    """A search that was found possible: its problem and beginning, the survey, what is written and asked for."""

    problem: Problem
    begins: AskTell
    found: Survey
    begun: Begun
    names: tuple[str, ...]


def _plan(searcher: Searcher, evaluator: Evaluator, request: Request) -> _Plan:
    if isinstance(searcher, type) or not hasattr(searcher, "begin"):
        name = searcher.__name__ if isinstance(searcher, type) else type(searcher).__name__
        raise UsageError(
            f"{name} is no searcher; give a value that begins searches, such as search.NSGA2(population=50)."
        )
    goals = objectives_of(_named(request.get("objectives", SCORE), evaluator), evaluator.quantities)
    limits = Constraints.of(request.get("constraints"), evaluator.quantities)
    budget, seed = request.get("budget", 1000), request.get("seed", 0)
    initial, wrap = request.get("initial", ()), request.get("wrap")
    if budget < 1:
        raise UsageError(f"The budget is {budget} evaluations; give at least 1.")
    if seed < 0:
        raise UsageError(f"The seed is {seed}; give an integer of at least 0.")
    names = tuple(dict.fromkeys([goal.name for goal in goals] + list(limits.names)))
    if isinstance(evaluator, Joining):  # the parts are on record too
        names = tuple(dict.fromkeys([*names, *(part for name in names for part in evaluator.parts.get(name, ()))]))
    if getattr(evaluator, "is_spread", False):
        _check_spread(names, evaluator, wrap)
    cheap = [name for name in names if name in evaluator.cheap]
    quick = limits.only(cheap)
    # The survey has a stream of its own: what it draws does not shift what the searcher draws.
    found = survey(evaluator, cheap, quick, np.random.default_rng([seed, 1]))

    def feasible(codes: Codes) -> NDArray[np.bool_]:
        satisfied: NDArray[np.bool_] = quick.violations(costs_of(evaluator, codes, quick.names), len(codes)) == 0
        return satisfied

    keep = None if wrap is None else wrap.keep
    space = evaluator.space
    costs = {name: partial(evaluator.costs, name=name) for name in sorted(evaluator.cheap)}
    allowed = _allowed(space, initial, feasible)
    problem = Problem(space, goals, seed, feasible, limits, found.known, keep, allowed, costs, _terms(evaluator))
    measured = getattr(evaluator, "settings", None)
    begun = Begun(
        searcher=described(searcher),
        space=space.fingerprint,
        objectives=[goal.name for goal in goals],
        constraints=limits.bounds,
        budget=budget,
        seed=seed,
        initial=[arch.options() for arch in initial],
        evaluator=describe(measured()) if callable(measured) else None,
        wrap=None if wrap is None else dict(wrap.describe()),
    )
    begins: object = searcher.begin(problem)
    if not (hasattr(begins, "ask") and hasattr(begins, "tell")):
        raise UsageError(
            f"{searcher.name} began with {begins!r}; begin(problem) returns what has ask(n) and tell(archs, values)."
        )
    return _Plan(problem, cast(AskTell, begins), found, begun, names)


def _check_spread(names: Sequence[str], evaluator: Evaluator, wrap: Wrap | None) -> None:
    """Refuse what workers cannot do without changing the result."""
    if (reason := alone_because(names, evaluator.cheap, shifts=wrap is not None)) is not None:
        raise UsageError(f"{reason} Leave the workers out (--workers 1).")


def alone_because(names: Collection[str], cheap: Collection[str], *, shifts: bool) -> str | None:
    """Why a search is done by one process; None: workers may evaluate its architectures.

    Args:
        names: Objectives and constraints.
        cheap: Those that are told for whole populations.
        shifts: Whether something goes on beside the search.
    """
    if shifts:
        return "The weights change while this search goes on (shifting), and workers would have those of its beginning."
    if LATENCY_MS.name in names and LATENCY_MS.name not in cheap:
        return (
            "latency_ms is measured here by the clock, which workers on the same processors would slow down. Predict "
            "it from a file (--latency), or search without workers."
        )
    return None


def _named(objectives: str | Sequence[str], evaluator: Evaluator) -> tuple[str, ...]:
    """The objectives by name, where one of them, or a part of one, may be `SCORE`."""
    names = (objectives,) if isinstance(objectives, str) or not isinstance(objectives, Iterable) else tuple(objectives)
    for name in names:
        if not isinstance(name, str):
            raise UsageError(
                f"The objective {name!r} is a {type(name).__name__}; objectives are names of quantities, such as "
                "'accuracy'. A quantity of your own is told by the task, or by an evaluator (search.Evaluator)."
            )
    if SCORE in evaluator.quantities:
        return names
    ranking: Quantity = getattr(evaluator, "ranking", next(iter(evaluator.quantities.values())))
    return tuple(resolved(name, ranking) for name in names)


def _joining(evaluator: Evaluator, request: Request) -> Evaluator:
    """The evaluator itself, or one that knows scores without training and joined objectives where these are asked for.

    Raises:
        UsageError: as `Joining`, or the weights change meanwhile.
    """
    goals, limits = _named(request.get("objectives", SCORE), evaluator), request.get("constraints") or {}
    bounded = limits.names if isinstance(limits, Constraints) else tuple(limits)
    if all(name in evaluator.quantities for name in (*goals, *bounded)):
        return evaluator
    size, seed, wrap = request.get("reference", 100), request.get("seed", 0), request.get("wrap")
    joining = Joining(evaluator, (*goals, *bounded), reference=size, seed=seed)
    if joining.parts and wrap is not None and wrap.keep is not None:
        raise UsageError(
            f"{next(iter(joining.parts))} ranks within architectures that are scored once, and the weights change "
            "while this search goes on (--shift). Leave one of them out."
        )
    return joining


def _terms(evaluator: Evaluator) -> Terms | None:
    """What the evaluator knows to be a sum over stages, if anything."""
    stages = getattr(evaluator, "stages", None)
    return None if stages is None else Terms(cast(Any, evaluator).ranking.name, stages, cast(Any, evaluator).terms)


def _evaluator(subject: Supernet | Evaluator, data: Data | None) -> Evaluator:
    if isinstance(subject, Supernet):
        if data is None:
            raise UsageError(
                "To search a supernet pass the images that its subnets are judged on: search.…(net, data, …)."
            )
        check_data(data)
        return NetEvaluator(subject, data.sealed())
    if not hasattr(subject, "evaluate"):
        if isinstance(subject, nn.Module):
            check_supernet(subject)
        raise UsageError(f"A search needs a Supernet or an evaluator; got {type(subject).__name__}.")
    if data is not None:
        raise UsageError("An evaluator brings its own data; pass `data` only with a supernet.")
    return subject


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


def _asked(begun: AskTell, name: str, most: int) -> list[Arch]:
    """What a searcher proposes, which may be one of a user's own."""
    archs: object = begun.ask(most)
    if not isinstance(archs, Sequence | np.ndarray) or isinstance(archs, str):
        raise RunError(
            f"{name} answered {type(archs).__name__} where it was asked for architectures; ask(n) returns a list of "
            "at most n, an empty one where there is nothing new to propose."
        )
    for arch in archs:
        if not isinstance(arch, Arch):
            raise RunError(
                f"{name} proposed {arch!r}, a {type(arch).__name__} and no architecture; problem.space.sample(rng) "
                "draws one, problem.space.arch({choice: option, …}) makes one."
            )
    return list(archs)


def _search(begun: AskTell, name: str, ledger: Ledger, budget: int, progress: Progress | None) -> str:
    generation, idle = 0, 0
    while (before := len(ledger.evaluations)) < budget:
        archs = _asked(begun, name, budget - before)
        if not archs:
            return "exhausted"
        if len(archs) > budget - before:
            raise RunError(f"{name} asked for {len(archs)} architectures when at most {budget - before} fit.")
        costs = ledger.costs(archs, name)
        if ledger.companion is not None:
            ledger.companion.begin_generation(generation, before)
        for number, (arch, cost) in enumerate(zip(archs, costs, strict=True)):
            if number % AHEAD == 0:
                ledger.look_ahead(archs[number : number + getattr(ledger.evaluator, "ahead", AHEAD)])
            if ledger.settle(arch, cost, generation) and progress is not None:
                progress(len(ledger.evaluations), budget, ledger.best())
        begun.tell(archs, [ledger.known[arch].values for arch in archs])
        ledger.end_generation()
        generation += 1
        idle = 0 if len(ledger.evaluations) > before else idle + 1
        if idle == _IDLE_ROUNDS:
            return "stalled"
    return "budget"
