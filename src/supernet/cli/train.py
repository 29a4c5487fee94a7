"""`supernet train`: a supernet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from supernet.cli.fields import NOTHING
from supernet.cli.opening import begun
from supernet.cli.options import (
    BuiltOptions,
    ConfigFile,
    Out,
    Overwrite,
    Resume,
    SeedOptions,
    TableOptions,
    TrainOptions,
)
from supernet.cli.output import Json, Output


def train(
    *,
    out: Out = Path("runs/run"),
    config: ConfigFile = None,
    built: BuiltOptions = NOTHING,
    seed: SeedOptions = NOTHING,
    training: TrainOptions = NOTHING,
    truth: TableOptions = NOTHING,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Train a supernet.

    With --table its ranking is followed while it trains. When torchrun starts it again, since a process had ended, it
    goes on from the newest checkpoint (docs/scale.md).

        supernet train --out runs/a --space mbconv --method spos -M weights.lr=0.1 --steps 2000

        supernet train --out runs/b --data photographs/ -D size=64 --devices 2

        supernet train --out runs/a --resume
    """
    from supernet.io.lines import read_lines
    from supernet.io.locking import restarted
    from supernet.io.run_directory import RunDirectory
    from supernet.runs import train as runs_train
    from supernet.runs.run import Run

    output = Output(as_json)
    if restarted():  # with the command that the training was begun with
        resume, overwrite = RunDirectory(out).is_run, False
    with RunDirectory(out).alone(output.say):
        settings = begun(config, out, resume=resume, built=built, seed=seed, train=training, judge=truth)
        job = Run.create(settings, out, overwrite=overwrite, resume=resume, say=output.say)
        done = runs_train.train(job, resume=resume)
    if done is not None:
        rows = read_lines(job.directory.log, dict[str, Any]).rows
        output.result({"run": out, "log": rows[-1] if rows else {}}, f"trained: {out}")
