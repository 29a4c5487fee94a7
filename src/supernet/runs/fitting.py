"""The training that a run's configuration asks for, by its own method or by what a server makes of it."""

from __future__ import annotations

from functools import partial

from supernet.io.locking import further_process
from supernet.judge import RankAlong
from supernet.runs.judge import table_of
from supernet.runs.naming import build_calibration
from supernet.runs.run import Run
from supernet.train import (
    GradientConflict,
    Monitor,
    OptionStrengths,
    Recipe,
    StrongestOptions,
    SubnetScores,
    Trained,
    fit,
)
from supernet.train.health import DEFAULT_IMAGES
from supernet.train.monitors.option_strengths import LINES
from supernet.train.programs._protocol import WeighsOptions

_MEASURED = 20
"""How often the strongest options are measured where nothing else is."""


def fitted(run: Run, recipe: Recipe, *, resume: bool, checkpoint_every: int | None) -> Trained:
    """Train the supernet of a run by a recipe, with all else as `run.config.train` says.

    Args:
        run: The run that is trained.
        recipe: Its method, or what is put in its place.
        resume: Whether to go on where a killed or interrupted training stopped.
        checkpoint_every: Number of steps between checkpoints; None: as `supernet.train.fit`.

    Raises:
        UsageError: as `supernet.train.fit`.
        RunError: as `supernet.train.fit`.
    """
    settings = run.config.train
    trained = fit(
        run.fresh,
        recipe,
        run.data.sealed(),
        steps=settings.steps,
        batch_size=settings.batch_size,
        seed=run.config.seed,
        out=run.directory,
        resume=resume,
        accelerator=settings.accelerator,
        micro_batch=settings.micro_batch,
        devices=settings.devices,
        strategy=settings.strategy,
        precision=settings.precision,
        average=settings.average,
        init=settings.init,
        checkpoint_every=checkpoint_every,
        monitors=monitors_of(run),
    )
    if trained.init is not None and not further_process():
        run.say(f"{settings.init}: {trained.init}")
    return trained


def monitors_of(run: Run) -> list[Monitor]:
    """What is measured along the training: some subnets, the strongest options, and what else was asked for.

    The accuracy of subnets that are ranked by something else says nothing, and is left out.
    """
    every, data, settings = run.config.train.monitor_every, run.data.sealed(), run.config.search
    by = run.recipe.ranks_by
    monitors: list[Monitor] = []
    program, steps = run.recipe.on(run.net.space).phases[-1].program, run.config.train.steps
    place = None if further_process() else run.directory.strengths
    if isinstance(program, WeighsOptions):  # costs next to nothing
        monitors.append(StrongestOptions(program, every=every or max(1, steps // _MEASURED)))
        monitors.append(OptionStrengths(program, place, every=-(-steps // LINES)))
    elif run.recipe.parts:  # one of which may be a policy
        monitors.append(OptionStrengths(None, place, every=-(-steps // LINES)))
    if every and not by:
        monitors.append(SubnetScores(data, every=every, seed=run.config.seed))
    if run.config.train.conflict_every:
        monitors.append(GradientConflict(data, every=run.config.train.conflict_every, seed=run.config.seed))
    if every and run.config.judge.table:
        calibration = build_calibration(settings)
        images = settings.validation_images or DEFAULT_IMAGES
        follow = partial(RankAlong, data, every=every, calibration=calibration, images=images)
        asked = run.config.judge
        monitors.append(follow(table_of(run), n=asked.monitor_archs, batch_size=asked.batch_size, by=by))
    return monitors
