"""An architecture of a run, trained for use, exported and measured."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from supernet import measure
from supernet.data import Data
from supernet.data.indexed import made_of
from supernet.deploy import plain_sgd, retrained
from supernet.errors import RunError, UsageError
from supernet.io import schema
from supernet.io.config import Retraining, check_micro_batch
from supernet.io.run_directory import RunDirectory
from supernet.io.section import section
from supernet.nn import Supernet
from supernet.nn.channels import HasAtoms
from supernet.runs.arch_argument import read_arch
from supernet.runs.export import Written, check_formats, write_formats
from supernet.runs.kept import refuse_changes
from supernet.runs.report import refresh
from supernet.runs.run import Run
from supernet.runs.teaching import say_teachers
from supernet.space import Arch
from supernet.train import Recipe, checkpoint
from supernet.train.rewriting import Rewriter

_KEPT = "retraining.json"


def retrain(
    run: Run, settings: Retraining | None, *, out: Path | None = None, resume: bool = False
) -> schema.Retrained:
    """Train an architecture of a run, export it, and measure the files.

    `out` then holds the settings (`retraining.json`, before the first result), the log and the checkpoints of the
    training, `net.onnx`, `net.pt2` and `retrained.json`.

    Args:
        run: The run whose architecture is trained.
        settings: The architecture and how it is trained. None, to resume: as it was begun (`kept_retraining`).
        out: Directory to write to; default: `retrained` in the directory of the run.
        resume: Go on where a killed retraining stopped.

    Returns:
        What `retrained.json` holds; accuracies are those of the exported file.

    Raises:
        UsageError: `out` holds another training, or none to resume, or another process is at work there; or an option
            is out of range.
        RunError: the training diverged or was interrupted, or no file can be written.
    """
    place = RunDirectory(run.place / "retrained" if out is None else out)
    with place.alone(run.say):
        settings = _settled(run, settings, place, resume=resume)
        arch = read_arch(run.net, settings.arch)
        net = _trained(run, arch, settings, place, resume=resume)
        written = write_formats(net, arch, place / "net", run.data.sealed(), run.config.export)
        scores = _scores(run, written, place)
        found = schema.Retrained(
            arch=arch.options(),
            start=settings.start,
            steps=settings.steps,
            seed=_seed(run, settings),
            validation=scores["validation"],
            test=scores.get("test"),
            macs=measure.macs(net, arch, input_shape=run.data.shape),
            params=measure.params(net, arch),
            files=[str(path) for path in written.files.values()],
            problems=dict(written.problems),
            space=settings.space,
            method=settings.method,
            run=os.path.relpath(run.place.path, place.path),
        )
        place.write("retrained.json", found)
        refresh(run)
    return found


def _settled(run: Run, settings: Retraining | None, place: RunDirectory, *, resume: bool) -> Retraining:
    """How the architecture is trained, which the directory is to hold from its first result on."""
    kept = kept_retraining(place.path)
    if resume and not place.is_run:
        raise UsageError(f"{place.path} holds no retraining to resume; leave --resume out to begin one.")
    settings = settings or (kept if resume else None)
    if settings is None:
        raise UsageError("Name the architecture and the number of steps to retrain it for (--arch, --steps).")
    settings = replace(settings, arch=str(read_arch(run.net, settings.arch)))
    check_formats(run.config.export)
    if resume and kept is not None:
        refuse_changes(kept, settings, place / _KEPT, place="retrain.")
    elif checkpoint.latest(place.checkpoints) is None:
        (place / _KEPT).unlink(missing_ok=True)  # of one that was stopped before its first checkpoint
    place.first = {_KEPT: settings}
    return settings


def _seed(run: Run, settings: Retraining) -> int:
    return run.config.seed if settings.seed is None else settings.seed


def _trained(run: Run, arch: Arch, settings: Retraining, place: RunDirectory, *, resume: bool) -> Supernet:
    """The trained network of the architecture, on the CPU."""
    seed = _seed(run, settings)
    batch_size, micro_batch = run.batch if settings.batch_size is None else (settings.batch_size, None)
    micro_batch = settings.micro_batch or micro_batch
    check_micro_batch(settings.micro_batch, batch_size, place="retrain.")
    final = run.with_final(space=settings.space, method=settings.method)
    recipe = _recipe(final, settings)
    if recipe is not None and _sees_validation(recipe.alone(arch), run.data.sealed()):
        run.say("validation examples are trained on too, so that their scores say nothing of new ones")
    if recipe is not None:
        say_teachers(recipe.alone(arch), run.say)
    net = retrained(
        _begun(run, final, settings.start, seed),
        arch,
        run.data.sealed(),
        steps=settings.steps,
        start=settings.start,
        recipe=recipe,
        batch_size=batch_size,
        micro_batch=micro_batch,
        seed=seed,
        out=place,
        resume=resume,
        accelerator=run.config.train.accelerator,
        precision=run.config.train.precision,
    )
    return net.to("cpu")


def _scores(run: Run, written: Written, place: RunDirectory) -> dict[str, dict[str, float]]:
    """Scores of the first file that was written, by split, once all files are known to compute the network."""
    for kind, problem in written.problems.items():
        run.say(f"warning: the network could not be written as {kind}: {problem}")
    if not written.files:
        raise RunError(f"{place.path} is trained, but no file could be written: {list(written.problems.values())}.")
    first, *others = written.files
    splits = {"validation": run.data.validation} | ({} if run.data.held_out is None else {"test": run.data.test})
    scores = {name: dict(written.verify(first, split, run.data.task).scores_file) for name, split in splits.items()}
    for kind in others:
        written.verify(kind, run.data.validation, run.data.task)
    return scores


def kept_retraining(out: Path) -> Retraining | None:
    """The settings that a retraining was begun with; None where there is none.

    Raises:
        UsageError: they are not settings of a retraining.
        RunError: the file is damaged.
    """
    place = RunDirectory(out)
    return section(Retraining, place.read(_KEPT, object), "retrain.") if (place / _KEPT).is_file() else None


def _recipe(final: Run, settings: Retraining) -> Recipe | None:
    if settings.lr is not None:
        return plain_sgd(settings.lr)
    return final.recipe if settings.start == "scratch" or settings.method is not None else None


def _sees_validation(recipe: Recipe, data: Data) -> bool:
    train = data.train if recipe.data is None else recipe.data(data).train
    return any(split is data.validation for split in made_of(train))


def _begun(run: Run, final: Run, start: str, seed: int) -> Supernet | Callable[[], Supernet]:
    """The trained network, or what builds one with fresh weights."""
    if start == "inherited":
        run.load_searched()
        return run.net

    def built() -> Supernet:
        net = final.recipe.adapted(final.begun(seed))
        if isinstance(net.module, HasAtoms):  # its structure is what the training has left
            run.load()
            Rewriter(net, {}, None, dict, seed).replay(run.net.changes)
        return net

    return built
