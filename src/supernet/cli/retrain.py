"""`supernet retrain`: one architecture of a run, trained for use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from supernet.cli.asked import asked
from supernet.cli.fields import NOTHING, Given
from supernet.cli.opening import opened
from supernet.cli.options import RUN, Best, Resume, RetrainOptions, Searched
from supernet.cli.output import Json, Output
from supernet.errors import UsageError
from supernet.io.config import Config, Retraining

_BUILT = ("space", "method", "data")


def retrain(
    path: Searched,
    /,
    *,
    options: RetrainOptions = NOTHING,
    best: Best = False,
    out: Annotated[
        Path | None,
        Parameter(
            name=("--out", "-o"),
            group=RUN,
            help="Directory for log, checkpoints and files. By default `retrained` in that of the run.",
        ),
    ] = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train one architecture of a run for use, then export and measure it.

    By default from fresh weights, as published networks are; --start inherited goes on from the supernet's. A network
    of another size, or trained by another method, is asked for with settings of the space (-S) and with --method (-M),
    as long as the choices stay the same.

    supernet retrain runs/a --best --steps 5000

    supernet retrain runs/cells --best --steps 50000 -S cells=5 -S channels=16 --method spos -M weights.lr=0.1

    supernet retrain runs/a --arch best.json --steps 2000 --start inherited --lr 0.01

    supernet retrain runs/a --resume
    """
    from supernet.io.run_directory import RunDirectory
    from supernet.runs.export import best as best_of
    from supernet.runs.retrain import kept_retraining
    from supernet.runs.retrain import retrain as runs_retrain
    from supernet.runs.run import made_in_python, trained_in

    output = Output(as_json)
    built = {name: value for name, value in options.items() if name.removesuffix("_options") in _BUILT}
    training = {name: value for name, value in options.items() if name not in built}
    if best and "arch" in training:
        raise UsageError("--best names the architecture in place of --arch; give one of them.")
    adopted = made_in_python(trained_in(RunDirectory(path)))
    job = opened(path, output, built if adopted else NOTHING)
    if not adopted:
        training |= _final(job.config, built)
    if best:
        training["arch"] = str(best_of(job).arch)
    kept = kept_retraining(job.place / "retrained" if out is None else out) if resume else None
    found = runs_retrain(job, _asked(kept, training), out=out, resume=resume)
    score = job.data.task.scores[0]
    splits = {"validation": found.validation, "test": found.test}
    told = ", ".join(
        f"{score.brief(scores[score.name])} on {name} examples" for name, scores in splits.items() if scores is not None
    )
    output.result(
        found,
        f"{score.name} of the exported network: {told}\nretrained: {found.files[0]}",
    )


def _final(config: Config, built: Given) -> Given:
    """How the network is built and trained where that is not as in the run."""
    if "data" in built or "data_options" in built:
        raise UsageError(
            "An architecture is retrained on the data of its run; leave --data out, or move the run to other data "
            "first (supernet transfer)."
        )
    asked_for = asked(config, built=built)
    parts = {"space": asked_for.space, "method": asked_for.method}
    return {name: part for name, part in parts.items() if name in built or f"{name}_options" in built}


def _asked(kept: Retraining | None, given: Given) -> Retraining:
    """The settings: as the retraining was begun, with what is given."""
    if kept is not None:
        return replace(kept, **given)
    if "arch" not in given:
        raise UsageError("Name the architecture to retrain with --arch, or take the best of the search with --best.")
    if "steps" not in given:
        raise UsageError("Say with --steps how long to train the architecture.")
    return Retraining(**given)
