"""Train the supernet of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supernet.io import schema
from supernet.io.lines import read_lines
from supernet.io.locking import further_process
from supernet.nn import Supernet
from supernet.nn.channels import sizes_of
from supernet.runs.drawn import diagram_of
from supernet.runs.fitting import fitted
from supernet.runs.run import Run
from supernet.runs.teaching import say_teachers
from supernet.space import Arch
from supernet.space.text import in_shell
from supernet.train.health import DEFAULT_IMAGES, warnings_of


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
    run.say(f"{run.data}")
    run.say(f"space {run.config.space.name}: {run.net.space.size:,} architectures")
    if resume and not further_process() and run.directory.is_run:
        run.directory.write("config.json", run.config.to_json())  # a budget may have grown
    if not further_process():
        say_teachers(run.recipe, run.say)
    trained = fitted(run, run.recipe, resume=resume, checkpoint_every=run.config.train.checkpoint_every)
    if further_process():
        return None
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
        images=min(DEFAULT_IMAGES, len(data.validation)),
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
