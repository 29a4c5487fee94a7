"""Is the ranking of a run's supernet right? Its judgement, written to the run directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from torch import nn

from supernet.errors import UsageError
from supernet.io import schema
from supernet.io.files import read_text, write_atomically
from supernet.io.progress import ProgressBar
from supernet.judge import (
    Distribution,
    RankReport,
    Standing,
    Surrogate,
    Truth,
    fit_surrogate,
    rank_report,
    read_truth,
    standing,
    train_alone,
)
from supernet.measure import cost_model
from supernet.rank.checks import MIN_ARCHITECTURES
from supernet.runs.naming import build_calibration, build_net
from supernet.runs.report import refresh
from supernet.runs.run import Run
from supernet.space import Arch, Space
from supernet.space.text import in_shell
from supernet.train.loop import RESTRICTION
from supernet.train.programs._protocol import WeighsOptions
from supernet.workers import workers_of

Alone: TypeAlias = Callable[[Sequence[Arch]], Truth]
"""Trains architectures alone."""

_LISTED = 10**6  # architectures of a space that can be drawn without replacement
_MIN_CLUSTERED = 30  # families of fewer architectures have too few members to be averaged over


def judge(run: Run, truth: Truth | None = None, *, alone: Alone | None = None) -> RankReport:
    """Judge the ranking of a run's supernet; writes `judge.json`, `judge.csv` and `ranking.csv`.

    The settings are in `judging.json` before the first result. Scores are in `scores.jsonl`, and trainings alone in
    `retrained.jsonl`, as soon as they are known, so that a judgement that was stopped goes on. Which architectures are
    drawn from the table does not depend on the run's seed, so that runs can be compared.

    Where the training has shrunk the space, the ranking of what it has left is judged, or, where that are fewer than
    three, of the whole space. The architecture that the method has derived is looked up in the whole truth. Where the
    truth was made by trainings alone, it is trained as these were; a table that does not hold it leaves it out, and the
    report says so.

    Args:
        run: The run; `run.config.judge` says what its ranking is judged against.
        truth: A table to judge against instead.
        alone: How a derived architecture that the truth does not hold is trained alone. None: as the configuration
            says, where it says to train architectures alone.

    Raises:
        UsageError: nothing is said to judge against, or as `supernet.judge.rank_report`.
        RunError: as `supernet.judge.rank_report` and `supernet.judge.train_alone`.
    """
    settings, place = run.config.judge, run.place
    with place.alone(run.say):
        truth = _asked_for(run) if truth is None else truth
        if alone is None and settings.retrain:
            alone = partial(trained_alone, run)
        surrogate = _surrogate(run, truth)
        if surrogate is not None:
            truth, alone = surrogate.truth(_uniform(run.space, settings.surrogate)), surrogate.truth
        derived, not_standing = _standing(run, truth, alone)
        truth = _left(run, truth)
        parts = run.load_searched()
        run.say_if_unfinished()
        run.say_what_ranks()
        distribution, not_weighed = _distribution(run, parts)
        found = _report(run, truth, parts, None if surrogate is not None else distribution)
        if surrogate is not None and distribution is not None:
            found = replace(found, mass=surrogate.mass(distribution, truth))
        found = replace(found, derived=derived, omitted={**found.omitted, **not_standing, **not_weighed})
        place.write("judge.json", {**found.to_json(), "truth": repr(truth), "rows": found.rows()})
        write_atomically(place / "judge.csv", found.to_csv().encode())
        write_atomically(place / "ranking.csv", found.scores_csv().encode())
        refresh(run)
    return found


def _asked_for(run: Run) -> Truth:
    """The truth that the configuration asks for, which `judging.json` then holds; one that is refused is not noted."""
    check_wanted(run)
    table, place = table_of(run) if run.config.judge.table else None, run.place
    before = read_text(place / "judging.json")
    place.write("judging.json", schema.Judgement(run.config.judge))
    try:
        return trained_alone(run) if table is None else table
    except UsageError:  # refused, so the settings of what is on record stay
        (place / "judging.json").unlink()
        if before is not None:
            write_atomically(place / "judging.json", before.encode())
        raise


def _surrogate(run: Run, truth: Truth) -> Surrogate | None:
    """What predicts the truth, where the configuration asks for it."""
    if not run.config.judge.surrogate:
        return None
    found = fit_surrogate(truth)
    run.say(f"surrogate of {found.held_out.n} architectures, held out: {found.held_out}")
    return found


def _distribution(run: Run, parts: Mapping[str, nn.Module]) -> tuple[Distribution | None, dict[str, str]]:
    """How the method's weights draw architectures, where it has any; or why that is not known."""
    program = run.recipe.on(run.net.space).phases[-1].program
    if not isinstance(program, WeighsOptions):
        return None, {}
    weights = {name: values.cpu().numpy() for name, values in program.probabilities(parts).items()}
    try:
        return Distribution.of_weights(run.net.space, weights), {}
    except UsageError as error:  # weights of another kind, of which no drawing is known
        return None, {"mass": str(error)}


def _report(run: Run, truth: Truth, parts: Mapping[str, nn.Module], distribution: Distribution | None) -> RankReport:
    """The ranking of the supernet against the truth, as the configuration says."""
    settings, search = run.config.judge, run.config.search
    n = min(settings.archs, len(truth))
    with (
        ProgressBar("judge", n, unit="architectures") as bar,
        ProgressBar("proxies", n, unit="architectures", enabled=bool(settings.proxies)) as proxy_bar,
    ):
        return rank_report(
            run.net,
            run.data,
            truth,
            n=settings.archs,
            distribution=distribution,
            clusters=n >= _MIN_CLUSTERED,
            calibration=build_calibration(search),
            images=search.validation_images,
            batch_size=settings.batch_size,
            precision=run.config.train.precision,
            by=run.recipe.ranks_by,
            parts=parts,
            proxies=settings.proxies,
            workers=workers_of(settings.workers),
            rated=lambda done, total: proxy_bar.update(done),
            out=run.place / "scores.jsonl",
            progress=lambda done, _: bar.update(done),
        )


def _standing(run: Run, truth: Truth, alone: Alone | None) -> tuple[Standing | None, dict[str, str]]:
    """Where the derived architecture stands, or why that is not known."""
    arch = run.derived
    if arch is None:
        return None, {}
    if arch not in truth and alone is not None:
        truth = truth.merge(alone([arch]))
    if arch not in truth:
        return None, {
            "derived": f"The truth holds no {truth.metric.name} of {in_shell(arch)}; judge against one that does, or "
            "let a surrogate predict it (--surrogate N)."
        }
    return standing(truth, arch), {}


def _left(run: Run, truth: Truth) -> Truth:
    """The truth about the architectures that are ranked."""
    space = _ranked(run)
    inside = [arch for arch in truth.archs if arch in space]
    if truth.space.fingerprint != run.net.space.fingerprint or len(inside) == len(truth):
        return truth
    run.say_what_is_left()
    if not inside:
        raise UsageError(
            f"The truth holds none of the {space.size:,} architectures that the training has left (restriction.json"
            "). Judge against one that does, or with --retrain."
        )
    return truth.subset(inside)


def _ranked(run: Run) -> Space:
    """What the training has left of the space; all of it, where that is too little for a ranking."""
    if run.space.size >= MIN_ARCHITECTURES:
        return run.space
    if run.net.space.size >= MIN_ARCHITECTURES:
        run.say(
            f"the training has left {run.space.size:,} of {run.net.space.size:,} architectures ({RESTRICTION}), too "
            "few to rank: all are ranked, also those that it no longer trained"
        )
    return run.net.space


def check_wanted(run: Run) -> None:
    """Check that there is something to judge against.

    Raises:
        UsageError: there is not.
    """
    if not run.config.judge.wanted:
        raise UsageError(
            "A ranking is judged against a --table or against --retrain N architectures; give one of them."
        )


def table_of(run: Run) -> Truth:
    """The table that the configuration names.

    Raises:
        UsageError: there is no such table, or it is about another space.
        RunError: it is damaged.
    """
    settings = run.config.judge
    return read_truth(settings.table, run.net.space, dataset=settings.dataset or None, metric=settings.metric or None)


def trained_alone(run: Run, archs: Sequence[Arch] = (), *, out: Path | None = None) -> Truth:
    """Train architectures alone as the configuration says, in the same way as the supernet: its optimiser, batches over
    all processes, processor and arithmetic.

    Trainings that are already on file are kept.

    Args:
        run: The run whose configuration says how.
        archs: The architectures. None given: as many as the configuration says, spread over parameter count.
        out: The file of the trainings; default: `retrained.jsonl`.

    Raises:
        UsageError: as `supernet.judge.train_alone`.
        RunError: as `supernet.judge.train_alone`.
    """
    settings = run.config.judge
    if archs:
        run.say("the derived architecture is trained alone, as those are that it is ranked among")
    batch_size, micro_batch = run.batch
    return train_alone(
        partial(build_net, run.config, run.data),
        run.recipe,
        run.data.sealed(),
        archs or _spread(run, settings.retrain),
        steps=settings.retrain_steps or run.config.train.steps,
        batch_size=batch_size,
        micro_batch=micro_batch,
        accelerator=run.config.train.accelerator,
        precision=run.config.train.precision,
        out=out or run.place / "retrained.jsonl",
        workers=settings.workers,
    )


def _uniform(space: Space, count: int) -> list[Arch]:
    """Different architectures, drawn uniformly; all there are, if these are fewer. The same for every run."""
    rng = np.random.default_rng(0)
    if space.size <= _LISTED:
        return space.wrap(space.unindex(rng.choice(space.size, min(count, space.size), replace=False)))
    return list(dict.fromkeys(space.wrap(space.population(rng, count, per="architecture"))))


def _spread(run: Run, count: int) -> list[Arch]:
    rng = np.random.default_rng(run.config.seed)
    codes = _ranked(run).population(rng, 20 * count)
    order = np.argsort(cost_model(run.net, run.data.shape).params(codes), kind="stable")
    places = np.linspace(0, len(order) - 1, count).round().astype(int)
    return run.net.space.wrap(codes[order[places]])
