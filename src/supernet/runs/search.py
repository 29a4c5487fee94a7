"""Search the trained supernet of a run, in its directory or in one of the search's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace

from torch import nn

from supernet import measure
from supernet.errors import UsageError
from supernet.io import schema
from supernet.io.progress import ProgressBar
from supernet.io.run_directory import SEARCH, SEARCHED
from supernet.judge import OrderAlong
from supernet.measure import NetEvaluator
from supernet.measure.scores.int8 import SUFFIX as INT8
from supernet.measure.scores.int8 import check_int8
from supernet.quantity import ACTIVATIONS_MB, LATENCY_MS, MEMORY_MB
from supernet.runs.judge import table_of
from supernet.runs.kept import refuse_changes
from supernet.runs.naming import build_calibration, build_search, build_shifting, objectives_asked
from supernet.runs.report import refresh
from supernet.runs.run import Run, kept_search
from supernet.search import Front, Shifting, Survey, Wrap
from supernet.search import check as check_possible
from supernet.search import run as run_search
from supernet.search.driver import alone_because
from supernet.search.joining import told as told_of_parts
from supernet.search.predicting import told
from supernet.train import load_candidates
from supernet.workers import Workers, workers_of

_ORDER_EVERY = 2  # generations between two looks at the order of good and poor architectures


def search(
    run: Run,
    *,
    resume: bool = False,
    overwrite: bool = False,
    wrap: Wrap | None = None,
    workers: Workers | None = None,
) -> Front:
    """Search architectures with the weights that the training has left, and in what it has left of the space.

    The record goes to `run.place`: `searching.json`, the settings, before the first result, `search.json`,
    `search.jsonl` and `front.json`. One training serves many searches, each in a directory of its own, which every
    verb that follows a search takes in the place of the run's:

        search(run.into("runs/a/fast").asking(search=Searching(constraints={"latency_ms": 2.0}, seed=1)))

    The objective `score` is what the method ranks by (`Recipe.ranks_by`), or else the task.

    Args:
        run: The run that is searched; `run.config.search` says how.
        resume: Whether to go on with the search on record, if there is one, with its settings; the budget may grow.
        overwrite: Whether to replace the search on record, once this one is known to be possible.
        wrap: What goes on beside the search; None: what is configured. Where it shifts the supernet and a table of
            truth is configured, the order of good and poor architectures is followed along the generations.
        workers: Processes that evaluate architectures side by side; the record is the same. None: this one does.

    Raises:
        UsageError: as `supernet.search.run`, settings that shifting does not have, a table too small to draw from, or
            a search that was begun with other settings.
        RunError: as `supernet.search.run`.
    """
    settings, place = run.config.search, run.place
    if resume and overwrite:
        raise UsageError("--resume goes on with the search that --overwrite would replace; give one of them.")
    _check_resumed(run, resume=resume)
    if overwrite:
        place.check_replaceable()
    searcher = build_search(settings)
    parts = run.load()
    run.say_if_unfinished()
    run.say_what_is_left()
    run.say_what_ranks()
    wrap = _following(run, _wrap(run) if wrap is None else wrap)
    evaluator = _evaluator(run, parts)
    pool = load_candidates(run.net.space, run.directory.path) if settings.pool else []
    space = run.space

    def announce(survey: Survey) -> None:
        _say(run, evaluator, survey)
        if spread is not None:
            spread.start()  # before the search on record is replaced
        if overwrite:
            place.replace(SEARCH)
        if not (place / SEARCHED).is_file() or resume:
            _begin(run)

    with (
        place.alone(run.say),
        nullcontext() if workers is None else evaluator.spread(workers) as spread,
        ProgressBar("search", settings.budget, unit="architectures") as bar,
    ):
        front = run_search(
            searcher,
            evaluator,
            objectives=objectives_asked(settings),
            constraints=settings.constraints or None,
            budget=settings.budget,
            seed=_seed(run),
            initial=[candidate.arch for candidate in pool if candidate.arch in space],
            out=place.path,
            resume=resume,
            progress=lambda done, _, best: bar.update(done, best),
            announce=announce,
            wrap=wrap,
            reference=settings.reference,
        )
        if spread is not None and spread.lost:
            run.say(f"workers that ended unexpectedly and were replaced: {len(spread.lost)} ({'; '.join(spread.lost)})")
        refresh(run)
    _say_found(run, front)
    return front


def _check_resumed(run: Run, *, resume: bool) -> None:
    """Refuse other settings for a search that goes on; its budget may grow."""
    settings, place = run.config.search, run.place
    kept = kept_search(place)
    if resume and kept is not None and (place / SEARCHED).is_file():
        free = ("search.always", *(("search.budget",) if settings.budget >= kept.search.budget else ()))
        refuse_changes(kept.search, settings, place / "searching.json", place="search.", free=free)


def _following(run: Run, wrap: Wrap | None) -> Wrap | None:
    """The same, which also follows the order along the generations, where it shifts the supernet and a table tells."""
    if isinstance(wrap, Shifting) and run.config.judge.table and run.recipe.ranks_by is None:
        return replace(wrap, on_generation=(*wrap.on_generation, _order_along(run)))
    return wrap


def _begin(run: Run) -> None:
    """Write the settings, before the first result."""
    place = run.place
    place.begin()
    source = None if run.results is None else os.path.relpath(run.directory.path, place.path)
    place.write("searching.json", schema.Search(run.config.search, source))


def _say_found(run: Run, front: Front) -> None:
    latency = run.config.search.latency
    if latency is not None:
        run.say(f"latency_ms is predicted from {latency}, not measured; export measures it")
    for sentence in (*told(front.predictor), *told_of_parts(front.joined)):
        run.say(sentence)
    run.say(f"{front.evaluations} architectures evaluated, {len(front.points)} on the front")


def workers_for(run: Run) -> Workers | None:
    """The workers that a whole run is configured with, where its search can do with them; says so where it cannot."""
    workers, settings = workers_of(run.config.judge.workers), run.config.search
    if workers is None:
        return None
    names = {*objectives_asked(settings), *settings.constraints}
    cheap = () if settings.latency is None else (LATENCY_MS.name,)
    reason = alone_because(names, cheap, shifts=settings.shifting is not None)
    if reason is not None:
        run.say(f"one process searches: {reason}")
    return workers if reason is None else None


def check_search(run: Run, wrap: Wrap | None = None) -> None:
    """Check all that a search needs but the trained weights, so that no training ends in a refusal.

    Raises:
        UsageError: as `search`.
    """
    settings = run.config.search
    searcher = build_search(settings)
    wrap = _wrap(run) if wrap is None else wrap
    if isinstance(wrap, Shifting):
        wrap.check_images(run.data)
    check_possible(
        searcher,
        _evaluator(run, {}),
        objectives=objectives_asked(settings),
        constraints=settings.constraints or None,
        budget=settings.budget,
        seed=_seed(run),
        reference=settings.reference,
    )


def _seed(run: Run) -> int:
    return run.config.seed if run.config.search.seed is None else run.config.search.seed


def _wrap(run: Run) -> Wrap | None:
    shifting = run.config.search.shifting
    return None if shifting is None else build_shifting(shifting)


def _evaluator(run: Run, parts: Mapping[str, nn.Module]) -> NetEvaluator:
    """What the search asks: accuracy with inherited weights, what the method ranks by, costs, latency.

    Never sees test images.

    Raises:
        RunError: a score in eight bits is asked for, and torchao is not installed.
    """
    settings = run.config.search
    if any(name.endswith(INT8) for name in (*objectives_asked(settings), *settings.constraints)):
        check_int8()
    latency = None
    if settings.latency is not None:
        latency = measure.read_latency(settings.latency, run.net, input_shape=run.data.shape)
    memory = None
    if {ACTIVATIONS_MB.name, MEMORY_MB.name} & {*objectives_asked(settings), *settings.constraints}:
        memory = measure.memory_model(run.net, run.data.shape, batch_size=settings.memory_batch_size)
    return NetEvaluator(
        run.net,
        run.data.sealed(),
        latency=latency,
        memory=memory,
        calibration=build_calibration(settings),
        images=settings.validation_images,
        space=run.space,
        precision=run.config.train.precision,
        score=run.recipe.ranks_by,
        parts=parts,
    )


def _order_along(run: Run) -> OrderAlong:
    settings = run.config.search
    return OrderAlong(
        run.data.sealed(),
        table_of(run),
        every=_ORDER_EVERY,
        seed=_seed(run),
        calibration=build_calibration(settings),
        images=settings.validation_images,
    )


def _say(run: Run, evaluator: NetEvaluator, survey: Survey) -> None:
    for name, (low, high) in survey.ranges.items():
        run.say(f"{name} of this space: {_readable(low)} to {_readable(high)}")
    cheap = sorted(evaluator.cheap & set(run.config.search.constraints))
    if cheap:
        run.say(f"about {survey.feasible_share:.2%} of the space satisfies the constraints on {', '.join(cheap)}")


def _readable(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
