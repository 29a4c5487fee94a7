"""`supernet retrain`: one architecture of a run, trained for use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from supernet.cli.opening import opened
from supernet.cli.options import NOTHING, RUN, TRAINING, AdoptOptions, Given, Resume, RetrainOptions, Searched
from supernet.cli.output import Json, Output
from supernet.errors import UsageError
from supernet.io.config import Retraining


def retrain(
    path: Searched,
    /,
    *,
    training: RetrainOptions = NOTHING,
    best: Annotated[
        bool,
        Parameter(
            negative=(),
            show_default=False,
            group=TRAINING,
            help="In place of --arch: take the architecture that the search found best in its first objective.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        Parameter(
            name=("--out", "-o"),
            group=RUN,
            help="Directory for log, checkpoints and files. By default `retrained` in that of the run.",
        ),
    ] = None,
    built: AdoptOptions = NOTHING,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train one architecture of a run for use, then export and measure it.

    By default from fresh weights, as published networks are; --start inherited goes on from the supernet's.

    supernet retrain runs/a --best --steps 5000

    supernet retrain runs/a --arch best.json --steps 2000 --start inherited --lr 0.01

    supernet retrain runs/a --resume
    """
    from supernet.runs.retrain import kept_retraining
    from supernet.runs.retrain import retrain as runs_retrain
    from supernet.search import Front

    output = Output(as_json)
    if best and "arch" in training:
        raise UsageError("--best names the architecture in place of --arch; give one of them.")
    job = opened(path, output, built)
    chosen = {"arch": str(Front.read(path, job.net.space).best().arch)} if best else {}
    kept = kept_retraining(job.place / "retrained" if out is None else out) if resume else None
    found = runs_retrain(job, _asked(kept, {**training, **chosen}), out=out, resume=resume)
    output.result(
        found,
        f"accuracy of the exported network: {found.accuracy_validation:.2%} on validation images, "
        f"{found.accuracy_test:.2%} on test images\nretrained: {found.files[0]}",
    )


def _asked(kept: Retraining | None, given: Given) -> Retraining:
    """The settings: as the retraining was begun, with what is given."""
    if kept is not None:
        return replace(kept, **given)
    if "arch" not in given:
        raise UsageError("Name the architecture to retrain with --arch, or take the best of the search with --best.")
    if "steps" not in given:
        raise UsageError("Say with --steps how long to train the architecture.")
    return Retraining(**given)
