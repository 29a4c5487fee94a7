"""The training loop: it executes moves, logs, checkpoints and resumes. It knows no method by name."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from supernet.data import ImageData
from supernet.errors import RunError, UsageError
from supernet.nn import Supernet
from supernet.progress import ProgressBar
from supernet.run_directory import RunDirectory
from supernet.space import Arch
from supernet.train import checkpoint
from supernet.train.architecture import ArchitectureParameters
from supernet.train.executor import Executor
from supernet.train.move import Step
from supernet.train.recipe import Recipe
from supernet.train.updates import Stepper

PRECISIONS = ("32-true", "bf16-mixed")


class Monitor(Protocol):
    """Measures something while training, without touching it."""

    every: int

    def __call__(self, net: Supernet, step: int) -> Mapping[str, float]:
        """Scalars for the log, by name."""
        ...


@dataclass(frozen=True)
class Trained:
    """What `fit` returns.

    Attributes:
        net: The supernet that was given, now trained.
        recipe: How.
        steps: Steps done; fewer than asked for if the training was interrupted.
        history: The scalar log: one mapping per logged step.
        architecture: Learned architecture parameters, for methods that have them.
        derived: The architecture that such a method proposes.
    """

    net: Supernet
    recipe: Recipe
    steps: int
    history: Sequence[Mapping[str, float]]
    architecture: ArchitectureParameters | None = None
    derived: Arch | None = None


def fit(
    net: Supernet,
    recipe: Recipe,
    data: ImageData,
    *,
    steps: int,
    batch_size: int = 64,
    seed: int = 0,
    out: Path | str | None = None,
    resume: bool = False,
    accelerator: str = "auto",
    devices: int = 1,
    strategy: str = "auto",
    precision: str = "32-true",
    log_every: int = 50,
    checkpoint_every: int | None = None,
    monitors: Sequence[Monitor] = (),
    progress: bool = True,
    stop_after: int | None = None,
) -> Trained:
    """Train a supernet by a recipe.

    Everything random in step t is a function of the seed and t, and a checkpoint holds all the rest; a run that
    was killed and resumed ends with bitwise the same weights (same machine, same number of threads).

    Args:
        net: The supernet; trained in place.
        recipe: The method, from `supernet.methods`.
        data: Images; only `train` and `validation` are used.
        steps: Number of steps of the whole training.
        batch_size: Images per move and process.
        seed: Seed of sampling, image order, augmentation and dropout. The initial weights are the net's.
        out: Run directory for log and checkpoints; None keeps nothing.
        resume: Go on from the newest checkpoint in `out`, if there is one.
        accelerator: `"auto"`, `"cpu"`, `"cuda"` …, as in Lightning Fabric.
        devices: Processes; more than one trains on different images and averages gradients.
        strategy: `"auto"` or a data-parallel strategy of Lightning Fabric such as `"ddp"`.
        precision: `"32-true"`, or `"bf16-mixed"` for bfloat16 arithmetic with float32 weights.
        log_every: Steps between log lines.
        checkpoint_every: Steps between checkpoints; default: a twentieth of the training, at least 100.
        monitors: Measurements to take along the way.
        progress: Whether to show progress.
        stop_after: Return (with a checkpoint) once this many steps of the whole are done.

    Raises:
        UsageError: an option outside its range, a recipe or data that do not suit the supernet, a run directory
            that already holds a run (without `resume`) or a different one (with it).
        RunError: the loss is not finite, a file cannot be read or written.
    """
    _check(net, recipe, data, steps=steps, batch_size=batch_size, precision=precision, log_every=log_every)
    from lightning_fabric import Fabric

    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        strategy=strategy,
        precision=precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    net.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    net.train()
    _try_out(net, data)
    identity = {
        "recipe": recipe.describe(),
        "steps": steps,
        "batch_size": batch_size * fabric.world_size,
        "seed": seed,
        "precision": precision,
        "space": net.space.fingerprint,
        "data": data.fingerprint(),
    }
    architecture = None
    if recipe.architecture is not None:
        architecture = ArchitectureParameters(net, seed=seed).to(fabric.device)
    steppers = {"weights": Stepper(recipe.weights, net.parameters(), batch_size=batch_size * fabric.world_size)}
    if recipe.architecture is not None and architecture is not None:
        steppers["architecture"] = Stepper(
            recipe.architecture, architecture.parameters(), batch_size=batch_size * fabric.world_size
        )
    directory = RunDirectory(out) if out is not None else None
    start, draws = 0, dict[str, int]()
    if directory is not None:
        start, draws = _open(directory, resume, identity, net, architecture, steppers, write=fabric.is_global_zero)
    executor = Executor(fabric, net, steppers, data, batch_size=batch_size, seed=seed, draws=draws)

    history: list[dict[str, float]] = []
    every = checkpoint_every or max(100, steps // 20)
    writes = directory is not None and fabric.is_global_zero
    random_state = torch.get_rng_state()
    losses: list[float] = []
    logged_at, last = time.perf_counter(), min(steps, stop_after or steps)
    done = start

    def save() -> None:
        if directory is not None and writes:
            path = directory.checkpoints / f"step-{done:09d}.safetensors"
            checkpoint.save(path, *_state(done, identity, net, architecture, steppers, executor.draws))
            checkpoint.keep_last(directory.checkpoints, 2)

    try:
        with ProgressBar("train", steps, start=start, enabled=progress and fabric.is_global_zero) as bar:
            while done < last:
                rng = np.random.default_rng([seed, done])
                torch.manual_seed(int(rng.integers(2**63)))
                step = Step(done, steps, net, rng, architecture)
                executor.begin()
                row: dict[str, float] = {}
                for move in recipe.program.moves(step):
                    loss = executor.execute(move, step)
                    row["loss" if move.updates == "weights" else f"loss/{move.updates}"] = loss
                    row["lr"] = steppers["weights"].rate(step, move.paths)
                losses.append(row["loss"])
                done += 1
                bar.update(done, f"loss {row['loss']:.3f}")
                measured: dict[str, float] = {}
                for monitor in monitors:
                    if done % monitor.every == 0 or done == steps:
                        measured |= monitor(net, done)
                        net.train()
                if done % log_every == 0 or done == last or measured:
                    now = time.perf_counter()
                    speed = len(losses) * batch_size * fabric.world_size / (now - logged_at)
                    row |= {"loss": sum(losses) / len(losses), "images_per_s": round(speed, 1), **measured}
                    history.append({"step": done, **row})
                    if directory is not None and writes:
                        directory.append(history[-1])
                    losses, logged_at = [], time.perf_counter()
                if done % every == 0 or done == last:
                    save()
    except KeyboardInterrupt:
        save()
        where = f"; resume to go on from {directory.path}" if directory is not None else ""
        raise RunError(f"Training was interrupted after {done} of {steps} steps{where}.") from None
    finally:
        torch.set_rng_state(random_state)
    derived = None
    if recipe.derive is not None and architecture is not None:
        derived = recipe.derive.derive(net, architecture)
    return Trained(net, recipe, done, tuple(history), architecture, derived)


def _check(
    net: Supernet, recipe: Recipe, data: ImageData, *, steps: int, batch_size: int, precision: str, log_every: int
) -> None:
    for name, value in (("steps", steps), ("batch_size", batch_size), ("log_every", log_every)):
        if value < 1:
            raise UsageError(f"{name} is {value}; it must be at least 1.")
    if precision not in PRECISIONS:
        raise UsageError(f"The precision {precision!r} is not supported; use one of {PRECISIONS}.")
    if batch_size > len(data.train):
        raise UsageError(
            f"The batch size is {batch_size}, but there are only {len(data.train)} training images. Lower it."
        )
    recipe.program.check(net)


def _try_out(net: Supernet, data: ImageData) -> None:
    """One forward pass of the smallest subnet, so that a misfit shows before the first step and not inside it."""
    batch = next(data.validation.batches(2, limit=2))
    device = next(net.parameters()).device
    training = net.training
    net.eval()
    try:
        with torch.no_grad():
            logits = net(batch.x.to(device), net.space.smallest())
    except UsageError:
        raise
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"The supernet cannot take the images of {data.name}, which have shape {tuple(batch.x.shape[1:])} "
            f"(channels, height, width): {str(error).splitlines()[0]}. Build it for this shape "
            "(in_channels, image size) or choose other data."
        ) from error
    finally:
        net.train(training)
    if logits.ndim != 2 or logits.shape[1] < data.num_classes:
        raise UsageError(
            f"The data {data.name} have {data.num_classes} classes, but the supernet returns {tuple(logits.shape[1:])} "
            f"values per image. Build it with num_classes={data.num_classes}."
        )


def _state(
    done: int,
    identity: Mapping[str, Any],
    net: Supernet,
    architecture: ArchitectureParameters | None,
    steppers: Mapping[str, Stepper],
    draws: Mapping[str, int],
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors = {f"net/{name}": value for name, value in net.state_dict().items()}
    if architecture is not None:
        tensors |= {f"architecture/{name}": value for name, value in architecture.state_dict().items()}
    for family, stepper in steppers.items():
        for number, parameter in enumerate(stepper.parameters):
            for key, value in stepper.optimizer.state.get(parameter, {}).items():
                if value is not None:
                    tensors[f"optimizer/{family}/{number}/{key}"] = torch.as_tensor(value)
    return tensors, {"step": done, "draws": dict(draws), "identity": identity}


def _restore(
    tensors: Mapping[str, Tensor],
    net: Supernet,
    architecture: ArchitectureParameters | None,
    steppers: Mapping[str, Stepper],
) -> None:
    net.load_state_dict(_under("net/", tensors))
    if architecture is not None:
        architecture.load_state_dict(_under("architecture/", tensors))
    for family, stepper in steppers.items():
        for name, value in _under(f"optimizer/{family}/", tensors).items():
            number, _, key = name.partition("/")
            parameter = stepper.parameters[int(number)]
            if value.shape == parameter.shape:
                held = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
            else:
                held = value.clone()
            stepper.optimizer.state[parameter][key] = held


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _open(
    directory: RunDirectory,
    resume: bool,
    identity: Mapping[str, Any],
    net: Supernet,
    architecture: ArchitectureParameters | None,
    steppers: Mapping[str, Stepper],
    *,
    write: bool,
) -> tuple[int, dict[str, int]]:
    newest = checkpoint.latest(directory.checkpoints)
    if newest is None:
        if write:
            directory.path.mkdir(parents=True, exist_ok=True)
            directory.cut_log(-1)
            directory.write("space.json", net.space.to_json())
            directory.write_environment()
            directory.write("training.json", identity)
        return 0, {}
    if not resume:
        raise UsageError(
            f"{directory.path} already holds a training. Resume it (resume=True, --resume) or choose another directory."
        )
    tensors, meta = checkpoint.load(newest)
    found = meta["identity"]
    different = [
        f"{key} is {_short(found.get(key))} there and {_short(identity[key])} now"
        for key in identity
        if found.get(key) != identity[key]
    ]
    if different:
        raise UsageError(
            f"{directory.path} holds a different training: {'; '.join(different)}. "
            "Resume with the same settings, or choose another directory."
        )
    _restore(tensors, net, architecture, steppers)
    if write:
        directory.cut_log(meta["step"])
    return int(meta["step"]), meta["draws"]


def load_weights(net: Supernet, run: Path | str) -> ArchitectureParameters | None:
    """Load the newest checkpoint of a run directory into a supernet of the same space.

    Returns:
        The architecture parameters, if the method learned any.

    Raises:
        UsageError: the directory has no checkpoint, or one of another space.
        RunError: the checkpoint is damaged.
    """
    directory = RunDirectory(run)
    newest = checkpoint.latest(directory.checkpoints)
    if newest is None:
        raise UsageError(f"{directory.path} holds no checkpoint; train first (supernet train --out {directory.path}).")
    tensors, meta = checkpoint.load(newest)
    if meta["identity"]["space"] != net.space.fingerprint:
        raise UsageError(
            f"{newest} was trained on the space {meta['identity']['space']}, but this supernet spans "
            f"{net.space.fingerprint}. Build the supernet with the options of the run (its config.json)."
        )
    architecture = None
    if _under("architecture/", tensors):
        architecture = ArchitectureParameters(net)
    _restore(tensors, net, architecture, {})
    return architecture


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
