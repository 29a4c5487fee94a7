"""Training a supernet by a recipe: what is checked and prepared before the loop."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from supernet.data import Data, as_data
from supernet.errors import UsageError
from supernet.io.progress import ProgressBar
from supernet.io.run_directory import RunDirectory
from supernet.measure.untouched import batch_like
from supernet.nn import Supernet
from supernet.nn.batch import Fields, called, place, shapes
from supernet.nn.given import check_supernet
from supernet.nn.initial_weights import Source, WarmStart, digest_of, warm_start
from supernet.nn.output import as_output
from supernet.nn.tryout import try_options
from supernet.precision import check_precision
from supernet.space import Arch, Space
from supernet.space.restriction import Restriction
from supernet.train import checkpoint
from supernet.train.averaging import check_decay
from supernet.train.context import Context
from supernet.train.derivations._protocol import DerivesByTask
from supernet.train.ends.either import Either
from supernet.train.executor import Executor
from supernet.train.health import chance_of
from supernet.train.loop import Logger, Loop, Monitor
from supernet.train.mistakes.own_pieces import check_callable
from supernet.train.phases import plan
from supernet.train.processes._one_process import OneProcess
from supernet.train.processes.exchange import exchange, share
from supernet.train.processes.launch import FSDP, Processes, launch
from supernet.train.processes.seeds import seeded
from supernet.train.recipe import Recipe
from supernet.train.state import TrainingState, digests

__all__ = ["Trained", "fit"]

_ADAPT, _TRY_OUT, _DERIVE = range(2**31, 2**31 + 3)  # what is seeded besides steps, whose numbers are smaller


@dataclass(frozen=True)
class Trained:
    """What `fit` returns. Printed, it is a line; the network and the log print themselves.

    Attributes:
        net: The supernet that was trained: the one that was given, or what the method made of it (`Recipe.adapt`).
        recipe: The recipe that it was trained by, as it holds for the net's space.
        steps: Steps done; fewer than asked for if the training was stopped, or its program saw no use in more.
        history: The scalar log of this call: one mapping per logged step. `train.jsonl` holds the whole of a
            resumed training.
        parts: The modules beside the supernet, by name, such as the architecture parameters of `darts`.
        derived: The architecture that the method proposes, for methods that derive one.
        memory: What the method's program remembers, such as GreedyNAS's candidate pool.
        space: What is left of the space, for methods that shrink it: what should be searched.
        init: What became of the weights that it was to begin with; None: it began with its own.
        derived_by_task: The architectures that the method proposes for each task, where it does (`DerivesByTask`).
    """

    net: Supernet
    recipe: Recipe
    steps: int
    history: Sequence[Mapping[str, float]]
    parts: Mapping[str, nn.Module] = field(default_factory=dict)
    derived: Arch | None = None
    memory: Mapping[str, Any] = field(default_factory=dict)
    space: Space | None = None
    init: WarmStart | None = None
    derived_by_task: Mapping[str, Arch] = field(default_factory=dict)

    def __repr__(self) -> str:
        loss = [f"loss {row['loss']:.4g}" for row in self.history[-1:] if "loss" in row]
        parts = [f"parts {', '.join(self.parts)}"] if self.parts else []
        derived = [] if self.derived is None else [f"derived {self.derived}"]
        left = self.net.space if self.space is None else self.space
        return f"Trained({', '.join([self.recipe.name, f'{self.steps} steps', *loss, *parts, *derived])}: {left})"


def fit(
    net: Supernet,
    recipe: Recipe,
    data: Data | Any,
    *,
    steps: int,
    batch_size: int = 64,
    seed: int = 0,
    out: RunDirectory | Path | str | None = None,
    resume: bool = False,
    accelerator: str = "auto",
    devices: int = 1,
    strategy: str = "auto",
    precision: str = "32-true",
    average: float | None = None,
    log_every: int = 50,
    checkpoint_every: int | None = None,
    monitors: Sequence[Monitor] = (),
    progress: bool = True,
    stop_after: int | None = None,
    init: Source | None = None,
    micro_batch: int | None = None,
    until: Callable[[Context], str | None] | None = None,
    loggers: Sequence[Logger] = (),
) -> Trained:
    """Train a supernet by a recipe.

    Everything random in step t is a function of the seed and t, and a checkpoint holds all the rest; a run that
    was killed and resumed ends with bitwise the same weights (same machine, same number of threads). Ctrl-C and
    SIGTERM end the training after the step they arrive in, with a checkpoint.

    Every process of a distributed training returns; the first alone writes files.

    Args:
        net: The supernet; trained in place, unless the method adapts it (`Recipe.adapt`).
        recipe: The method, from `supernet.methods`.
        data: The data, of which only `train` and `validation` are used; or torch datasets of one's own, see
            `data.as_data`.
        steps: Number of steps of the whole training.
        batch_size: Images per move and process.
        seed: Seed of sampling, image order, augmentation and dropout, and of what adapting the net draws. Its own
            initial weights are as they are given.
        out: Run directory for log and checkpoints; None keeps nothing.
        resume: Go on from the newest checkpoint in `out`, if there is one.
        accelerator: `"auto"`, `"cpu"`, `"cuda"` …, as in Lightning Fabric.
        devices: Processes; more than one trains on different images and averages gradients.
        strategy: `"auto"`; a data-parallel strategy of Lightning Fabric such as `"ddp"`, by which every process holds
            all weights; or `"fsdp"`, by which they share out the weights and what optimisers hold of them, and every
            process has the whole network at the beginning and the end alone.
        precision: `"32-true"`, or `"bf16-mixed"` for bfloat16 arithmetic with float32 weights.
        average: Decay of an exponential moving average of the weights, such as 0.999, which the supernet ends with;
            None: it ends with its last weights.
        log_every: Steps between log lines.
        checkpoint_every: Steps between checkpoints; default: a twentieth of the training, at least 100.
        monitors: Measurements to take along the way.
        progress: Whether to show progress.
        stop_after: Return (with a checkpoint) once this many steps of the whole are done.
        init: Weights to begin with, a `.safetensors` file or a state dict: they fill the largest subnet, see
            `nn.warm_start`; `Trained.init` says what fitted.
        micro_batch: Images of a batch that go through the network at a time, the gradients being averaged, where a
            whole batch does not fit into memory; batch norm then sees so many. None: the whole batch.
        until: Asked after each step of the last phase; the reason that it returns ends the training, such as
            `NoImprovement()`.
        loggers: What every line of the log goes to as well, such as Lightning Fabric's `TensorBoardLogger` or
            `CSVLogger`, or Lightning's of Weights & Biases or MLflow.

    Raises:
        UsageError: an option outside its range, a recipe or data that do not suit the supernet, a run directory
            that already holds a run (without `resume`) or a different one (with it), that another process is at work
            in, or that holds files of somebody else's where a run would write. Nothing has been written then.
        RunError: the loss or a weight is not finite, a file cannot be read or written, or the training was
            interrupted.
    """
    check_supernet(net)
    _check_recipe(recipe)
    if not torch.is_grad_enabled():
        raise UsageError(
            "Training needs gradients, which torch.no_grad() or torch.inference_mode() turns off where fit is called. "
            "Call it outside of them."
        )
    steps, batch_size, seed = (
        _whole_number(name, value) for name, value in (("steps", steps), ("batch_size", batch_size), ("seed", seed))
    )
    _check_options(steps=steps, batch_size=batch_size, seed=seed, precision=precision, average=average)
    _check_intervals(monitors, log_every=log_every, checkpoint_every=checkpoint_every, stop_after=stop_after)
    if micro_batch is not None and not 1 <= micro_batch <= batch_size:
        raise UsageError(f"micro_batch is {micro_batch}; it must be from 1 to the batch size, {batch_size}.")
    data = as_data(data)
    matched = None if init is None else warm_start(net, init)
    net, recipe, data = _suited(net, recipe, data, seed)
    if until is not None:
        recipe = _ending(recipe, until)
    _check(net, recipe, data, batch_size=batch_size)
    stretches = plan(recipe.phases, steps)
    fabric = launch(accelerator=accelerator, devices=devices, strategy=strategy, precision=precision)
    place(net, fabric.device)
    net.train()
    with seeded(seed, _TRY_OUT):
        for fed in (data, *(phase.data(data) for phase in recipe.phases if phase.data is not None)):
            _try_out(net, fed)
    share(fabric, [*net.parameters(), *net.buffers()])
    global_batch = batch_size * fabric.world_size
    state = TrainingState(net, recipe, seed=seed, batch_size=global_batch, task=data.task)
    identity = _identity(
        state,
        data,
        steps=steps,
        batch_size=global_batch,
        seed=seed,
        precision=precision,
        average=average,
        init=init,
        micro_batch=micro_batch,
    )
    for module in state.parts.values():
        share(fabric, [*module.parameters(), *module.buffers()])
    if strategy == FSDP and not isinstance(fabric, OneProcess):
        state.share_out(fabric)
    if average is not None:
        state.keep_average(average)
    directory = out if out is None or isinstance(out, RunDirectory) else RunDirectory(out)
    with directory.alone() if directory is not None and fabric.is_global_zero else nullcontext():
        if directory is not None:
            _open(directory, resume, identity, state, fabric)
        loop = Loop(
            state,
            Executor(
                fabric,
                net,
                state.steppers,
                data,
                batch_size=batch_size,
                seed=seed,
                draws=state.draws,
                passed=state.passed,
                micro_batch=micro_batch,
                sharding=state.sharding,
            ),
            stretches,
            seed=seed,
            steps=steps,
            directory=directory if fabric.is_global_zero else None,
            identity=identity,
            log_every=log_every,
            checkpoint_every=checkpoint_every or max(100, steps // 20),
            monitors=monitors,
            loggers=loggers if fabric.is_global_zero else (),
        )
        net.calibrated_for = None  # while it is trained, whoever runs it answers for the statistics
        try:
            history = loop.run(min(steps, stop_after or steps), progress=progress and fabric.is_global_zero)
        finally:
            net.statistics_belong_to()  # nobody: they are a mixture of all paths, or none were collected
    if state.sharding is not None:
        state.sharding.join()
    with exchange():
        fabric.barrier()
    derived, by_task = _derived(recipe, loop, seed, progress=progress and fabric.is_global_zero)
    space = state.restriction.space
    return Trained(net, recipe, state.done, history, state.parts, derived, state.memory, space, matched, by_task)


def _suited(net: Supernet, recipe: Recipe, data: Data, seed: int) -> tuple[Supernet, Recipe, Data]:
    """What the method makes of net and data, and the recipe as it holds for that net's space."""
    net.input_shape = data.shape
    if recipe.data is not None:
        data = recipe.data(data)
    with seeded(seed, _ADAPT):
        net = recipe.adapted(net)
    net.input_shape = data.shape
    return net, recipe.on(net.space), data


def _identity(
    state: TrainingState,
    data: Data,
    *,
    steps: int,
    batch_size: int,
    seed: int,
    precision: str,
    average: float | None,
    init: Source | None,
    micro_batch: int | None,
) -> dict[str, Any]:
    """What the training is: a checkpoint of another one is not resumed."""
    recipe, outside = state.recipe, digests(state.recipe, state.parts)
    return {
        "recipe": recipe.describe(),
        "steps": steps,
        "batch_size": batch_size,
        "seed": seed,
        "precision": precision,
        "average": average,
        **({} if init is None else {"init": digest_of(init)}),
        **({} if micro_batch is None else {"micro_batch": micro_batch}),
        "space": state.net.space.fingerprint,
        "data": data.fingerprint(),
        "chance": None if recipe.ranks_by else chance_of(recipe.phases[-1].program, data.task.chance(data.num_classes)),
        **({"outside": outside} if outside else {}),
    }


def _derived(recipe: Recipe, loop: Loop, seed: int, *, progress: bool) -> tuple[Arch | None, Mapping[str, Arch]]:
    """The architecture that the method proposes, and those that it does by task; none, where it proposes none."""
    if recipe.derive is None:
        return None, {}
    with seeded(seed, _DERIVE), ProgressBar("derive", 1, unit="architecture", enabled=progress):
        if isinstance(recipe.derive, DerivesByTask):
            by_task = recipe.derive.derive_by_task(loop.context())
            return next(iter(by_task.values())), by_task
        return recipe.derive.derive(loop.context()), {}


def _ending(recipe: Recipe, until: Callable[[Context], str | None]) -> Recipe:
    """The recipe whose last phase may end early."""
    *before, last = recipe.phases
    both = until if last.until is None else Either((last.until, until))
    return replace(recipe, program=(*before, replace(last, until=both)))


def _check_options(*, steps: int, batch_size: int, seed: int, precision: str, average: float | None) -> None:
    for name, value in (("steps", steps), ("batch_size", batch_size)):
        if value < 1:
            raise UsageError(f"{name} is {value}; it must be at least 1.")
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed is {seed}; seeds are whole numbers from 0 to {2**63 - 1}. Give one of them.")
    check_precision(precision)
    if average is not None:
        check_decay(average)


def _whole_number(name: str, given: Any) -> int:
    try:
        return operator.index(int(given) if isinstance(given, float) and given.is_integer() else given)
    except TypeError:
        raise UsageError(f"{name} is {given!r}, a {type(given).__name__}; it must be a whole number.") from None


def _check_recipe(given: object) -> None:
    if isinstance(given, Recipe):
        return
    name = given if isinstance(given, str) else getattr(given, "__name__", "")
    made = f"methods.{name}()" if name.isidentifier() else "methods.spos()"
    raise UsageError(
        f"fit trains by a recipe, and was given {name or type(given).__name__!r}, which is none. Give the value that a "
        f"method makes, such as {made}."
    )


def _check(net: Supernet, recipe: Recipe, data: Data, *, batch_size: int) -> None:
    if batch_size > len(data.train):
        raise UsageError(
            f"The batch size is {batch_size}, but there are only {len(data.train)} training examples. Lower it."
        )
    for name, parameter in net.module.named_parameters():
        if not torch.isfinite(parameter).all():
            raise UsageError(
                f"The network has weights that are not finite before the first step, in {name}. Look at where they "
                "come from, such as a file or a network of yours."
            )
    if not recipe.parts and not any(parameter.requires_grad for parameter in net.parameters()):
        raise UsageError(
            "No weight of the network may change: none has requires_grad. Let those that are to be trained have it, "
            "parameter.requires_grad_(True)."
        )
    for phase in recipe.phases:
        phase.program.check(net)
        if phase.restrict is not None:
            Restriction(net.space).allow_all(phase.restrict(net.space))
        for change in (phase.enter, phase.leave, *(edit.apply for edit in (*recipe.edits, *phase.edits))):
            if (check := getattr(change, "check", None)) is not None:
                check(net)
        if unread := {*recipe.settings, *phase.settings} - net.settings:
            raise UsageError(
                f"The recipe {recipe.name!r} gives the setting {min(unread)!r}, which no layer of the network reads; "
                f"they read {', '.join(sorted(net.settings)) or 'none'}. Build a space with such layers (an option of "
                f"the builder, as zoo.darts(aux_skip=True)), or leave the setting out: {min(unread)}=0, where it is an "
                "option of the method."
            )
    if recipe.derive is not None:
        recipe.derive.check(net)


def _check_intervals(
    monitors: Sequence[Monitor], *, log_every: int, checkpoint_every: int | None, stop_after: int | None
) -> None:
    intervals = {"log_every": log_every, "checkpoint_every": checkpoint_every, "stop_after": stop_after}
    if not isinstance(monitors, Sequence):
        raise UsageError(f"monitors is {monitors!r}; give a list of monitors, [monitor] for one.")
    for monitor in monitors:
        check_callable(monitor, "monitor", "every", "__call__")
    intervals |= {f"{type(monitor).__name__}.every": monitor.every for monitor in monitors}
    for name, value in intervals.items():
        if value is not None and value < 1:
            raise UsageError(f"{name} is {value}; it must be at least 1.")


def _try_out(net: Supernet, data: Data) -> None:
    """Each option once, the smallest subnet first, so that a misfit shows before the first step and not inside it."""
    batch = batch_like(net, next(data.validation.batches(2, limit=2)))
    training = net.training
    net.eval()
    try:
        with torch.no_grad(), net.active(net.space.smallest()):
            output = as_output(called(net.module, batch.x))  # a look at shapes, whatever the statistics
    except UsageError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise UsageError(
            f"The supernet cannot take the inputs of {data.name}, which are {shapes(batch.x)}{_tokens(batch.x)}: "
            f"{str(error).splitlines()[0]}. Build it for such inputs ({_sizes(batch.x)}) or choose other data."
        ) from error
    finally:
        net.train(training)
    data.task.check(output, batch, data=data.name, classes=data.num_classes)
    try_options(net, batch.x)


def _whole(x: Fields) -> list[Tensor]:
    tensors = [x] if isinstance(x, Tensor) else list(x.values())
    return [t for t in tensors if t.dtype == torch.int64 and t.numel()]


def _tokens(x: Fields) -> str:
    """Between which numbers whole ones lie, such as token ids: a network may have fewer embeddings."""
    found = _whole(x)
    return (
        f" with numbers from {min(int(t.min()) for t in found)} to {max(int(t.max()) for t in found)}" if found else ""
    )


def _sizes(x: Fields) -> str:
    return "size of the vocabulary, longest sequence" if _whole(x) else "in_channels, image size"


def _open(
    directory: RunDirectory, resume: bool, identity: Mapping[str, Any], state: TrainingState, fabric: Processes
) -> None:
    write = fabric.is_global_zero
    if write and directory.replaces:
        directory.begin()
    fabric.barrier()  # the others look once the old run is out of the way
    newest = checkpoint.latest(directory.checkpoints)
    if newest is None:
        if write:
            directory.begin()
            directory.cut_log(-1)
            directory.write("space.json", state.net.space.to_json())
            directory.write_environment()
            directory.write("training.json", identity)
        return
    if not resume:
        raise UsageError(
            f"{directory.path} already holds a training. Resume it (resume=True, --resume) or choose another directory."
        )
    state.load(newest, identity)
    if write:
        directory.begin()
        directory.cut_log(state.done)
