"""An architecture of a run, trained, exported and measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from supernet import measure
from supernet.deploy.export import export
from supernet.deploy.train_one import plain_sgd, retrained
from supernet.deploy.verify import verify
from supernet.errors import UsageError
from supernet.io.run_directory import RunDirectory
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train import Recipe

if TYPE_CHECKING:
    from supernet.runs.run import Run


def retrain_run(
    job: Run,
    arch: Arch,
    *,
    out: Path,
    steps: int,
    start: Literal["scratch", "inherited"] = "scratch",
    batch_size: int | None = None,
    lr: float | None = None,
    seed: int | None = None,
    resume: bool = False,
) -> dict[str, Any]:
    """Train an architecture of a run, export it, and measure the files.

    `out` then holds the log and the checkpoints of the training, `net.onnx`, `net.pt2` and `retrained.json`.

    Args:
        job: The run.
        arch: The architecture.
        out: Directory to write to.
        steps: Training steps.
        start: As in `retrained`.
        batch_size: Images per step; default: that of the run.
        lr: Learning rate of SGD with a cosine schedule. Default: the optimiser of the run from scratch, and 0.01 from
            inherited weights.
        seed: Default: that of the run.
        resume: Go on where a killed retraining stopped.

    Returns:
        What `retrained.json` holds; accuracies are those of the exported file.

    Raises:
        UsageError: `out` holds another training, or none to resume, or another process is at work there; or an option
            is out of range.
        RunError: the training diverged or was interrupted, or a file cannot be written.
    """
    seed = job.config.seed if seed is None else seed
    recipe: Recipe | None = None
    if lr is not None:
        recipe = plain_sgd(lr)
    elif start == "scratch":
        recipe = job.recipe
    if start == "inherited":
        job.load_searched()

    def fresh() -> Supernet:
        other = job if seed == job.config.seed else type(job)(replace(job.config, seed=seed), job.directory, job.say)
        return other.net

    with RunDirectory(out).alone(job.say):
        if resume and not RunDirectory(out).is_run:
            raise UsageError(f"{out} holds no retraining to resume; leave --resume out to begin one.")
        data = job.data
        net = retrained(
            fresh if start == "scratch" else job.net,
            arch,
            data.sealed(),
            steps=steps,
            start=start,
            recipe=recipe,
            batch_size=batch_size or job.config.train.batch_size,
            seed=seed,
            out=out,
            resume=resume,
            accelerator=job.config.train.accelerator,
            precision=job.config.train.precision,
        )
        exported = export(net, arch, out / "net.onnx", data=data.sealed(), formats=("onnx", "program"))
        validation, test = (verify(exported.files[0], exported.module, split) for split in (data.validation, data.test))
        found = {
            "arch": arch.options(),
            "start": start,
            "steps": steps,
            "seed": seed,
            "accuracy_validation": validation.accuracy_file,
            "accuracy_test": test.accuracy_file,
            "macs": measure.macs(net, arch, input_shape=data.shape),
            "params": measure.params(net, arch),
            "files": [str(file) for file in exported.files],
        }
        RunDirectory(out).write("retrained.json", found)
    return found
