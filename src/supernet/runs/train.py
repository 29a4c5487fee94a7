"""Train the supernet of a run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from supernet.io import schema
from supernet.io.lines import read_lines
from supernet.io.locking import further_process
from supernet.judge import RankAlong
from supernet.nn import Supernet
from supernet.nn.channels import sizes_of
from supernet.runs.drawn import diagram_of
from supernet.runs.judge import table_of
from supernet.runs.naming import build_calibration
from supernet.runs.run import Run
from supernet.runs.teaching import say_teachers
from supernet.space import Arch
from supernet.space.text import in_shell
from supernet.train import GradientConflict, Monitor, OptionStrengths, StrongestOptions, SubnetScores, fit
from supernet.train.health import warnings_of
from supernet.train.monitors.option_strengths import LINES
from supernet.train.programs._protocol import WeighsOptions

_MEASURED = 20
"""How often the strongest options are measured where nothing else is."""


def train(run: Run, *, resume: bool = False) -> Run | None:
    """Train the supernet of a run, or go on training it.

    Args:
        run: The run that is trained; `run.config.train` says how.
        resume: Whether to go on where a killed or interrupted training stopped.

    Returns:
        The run with the trained network; None in the further processes of a training on several devices, whose work
        ends here.

    Raises:
        UsageError: as `supernet.train.fit`.
        RunError: as `supernet.train.fit`.
    """
    settings = run.config.train
    run.say(f"{run.data}")
    run.say(f"space {run.config.space.name}: {run.net.space.size:,} architectures")
    if resume and not further_process() and run.directory.is_run:
        run.directory.write("config.json", run.config.to_json())  # a budget may have grown
    if not further_process():
        say_teachers(run.recipe, run.say)
    trained = fit(
        run.fresh,
        run.recipe,
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
        checkpoint_every=settings.checkpoint_every,
        monitors=_monitors(run),
    )
    if further_process():
        return None
    if trained.init is not None:
        run.say(f"{settings.init}: {trained.init}")
    if trained.derived is not None:
        run.directory.write("derived.json", _told(trained.net, trained.derived))
        run.say(f"derived architecture: {in_shell(trained.derived)}")
    if trained.derived_by_task:
        by_task = {task: _told(trained.net, arch) for task, arch in trained.derived_by_task.items()}
        run.directory.write("derived_by_task.json", by_task)
        for task, arch in trained.derived_by_task.items():
            run.say(f"derived for {task}: {in_shell(arch)}")
    if sizes := sizes_of(trained.net.module):
        run.directory.write("sizes.json", sizes)
        run.say(f"channels that the training has left: {sum(sizes.values()):,}, by dimension in sizes.json")
    log = read_lines(run.directory.log, dict[str, Any]).rows
    data, chance = run.data, run.directory.read("training.json", schema.Training).chance
    told = warnings_of(
        _scalars(log),
        data.num_classes,
        chance=chance,
        images=len(data.validation),
        score=data.task.scores[0],
        derives=trained.derived is not None,
    )
    for sentence in told:
        run.say(f"warning: {sentence}")
    return run.holding(trained.net)


def _told(net: Supernet, arch: Arch) -> schema.Derived:
    """A derived architecture as the run keeps it, with its drawing."""
    return schema.Derived(net.space.fingerprint, arch.options(), diagram_of(net, arch))


def _scalars(log: Any) -> list[Mapping[str, float]]:
    return [{name: value for name, value in row.items() if isinstance(value, int | float)} for row in log]


def _monitors(run: Run) -> list[Monitor]:
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
        follow = partial(RankAlong, data, every=every, calibration=calibration, images=settings.validation_images)
        asked = run.config.judge
        monitors.append(follow(table_of(run), n=asked.monitor_archs, batch_size=asked.batch_size, by=by))
    return monitors
