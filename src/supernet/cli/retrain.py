"""`supernet retrain`: one architecture of a run, trained for use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from supernet.errors import UsageError

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]


def retrain(
    path: Path,
    /,
    *,
    steps: int,
    arch: str | None = None,
    best: Flag = False,
    start: Literal["scratch", "inherited"] = "scratch",
    batch_size: int | None = None,
    lr: float | None = None,
    seed: int | None = None,
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    resume: Flag = False,
) -> None:
    """Train one architecture of a run for use, then export and measure it.

    Args:
        path: Run directory that `train` or `run` has made.
        steps: Training steps.
        arch: The architecture: a JSON file, JSON, or choice=option,choice=option.
        best: Instead of --arch: the best of the search in its first objective.
        start: scratch (fresh weights), or inherited (go on from the supernet's).
        batch_size: Images per step. Default: that of the run.
        lr: Learning rate of SGD with a cosine schedule. Default: the optimiser of the run from scratch, 0.01 from
            inherited weights.
        seed: Seed of fresh weights, image order and augmentation. Default: that of the run.
        out: Directory for log, checkpoints and exported files. Default: retrained in the run.
        resume: Go on where a killed retraining stopped.
    """
    from supernet.runs.arch_argument import read_arch
    from supernet.runs.retrain import retrain_run
    from supernet.runs.run import Run
    from supernet.search import Front

    if (arch is None) != best:
        raise UsageError("Name the architecture to retrain with --arch, or take the best of the search with --best.")
    job = Run.open(path, _say)
    chosen = read_arch(job.net, arch) if arch is not None else Front.read(path, job.net.space).best().arch
    found = retrain_run(
        job,
        chosen,
        out=path / "retrained" if out is None else out,
        steps=steps,
        start=start,
        batch_size=batch_size,
        learning_rate=lr,
        seed=seed,
        resume=resume,
    )
    _say(
        f"accuracy of the exported network: {found['accuracy_validation']:.2%} on validation images, "
        f"{found['accuracy_test']:.2%} on test images"
    )
    _say(f"retrained: {found['files'][0]}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
