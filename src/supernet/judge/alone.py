"""Architectures trained alone, from fresh weights, and measured: ground truth of the user's own."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from supernet.data import Data
from supernet.errors import UsageError
from supernet.io.progress import ProgressBar
from supernet.judge.truth.growing import TruthFile
from supernet.judge.truth.truth import Truth
from supernet.measure import Calibration, scores
from supernet.measure.scores.calibration import DEFAULT
from supernet.measure.untouched import placed_like
from supernet.measure.untouched import threads as threads_of
from supernet.nn import Supernet
from supernet.nn.output import as_output
from supernet.precision import Precision
from supernet.space import Arch
from supernet.train import Recipe, fit
from supernet.train.recipe import describe
from supernet.workers import Crew, Work, Workers, workers_of

Job = tuple[Arch, int]


@dataclass(frozen=True, kw_only=True)
class Regime:
    """How architectures are trained alone and measured; everything a figure depends on but the architecture and seed.

    Attributes:
        build: Makes the network with fresh weights, drawn from torch's generator.
        recipe: Optimiser, schedule and objective, as `Recipe.alone` takes them for one architecture.
        data: The data set with the training images and those that are measured on.
        steps: Number of training steps of each architecture.
        batch_size: Number of images per training step.
        split: The split that is measured on.
        calibration: BatchNorm statistics for the measurement; None keeps those of the training.
        accelerator: Kind of processor to train on: `"auto"`, `"cpu"`, `"cuda"` or `"mps"`.
        micro_batch: Number of images of a batch that go through the network at a time; None: the whole batch.
        precision: Arithmetic of the training: `"32-true"` or `"bf16-mixed"`.
    """

    build: Callable[[], Supernet]
    recipe: Recipe
    data: Data
    steps: int
    batch_size: int = 64
    split: Literal["validation", "test"] = "validation"
    calibration: Calibration | None = DEFAULT
    accelerator: str = "auto"
    micro_batch: int | None = None
    precision: Precision = "32-true"

    def __post_init__(self) -> None:
        if self.split not in ("validation", "test"):
            raise UsageError(f"Architectures are measured on 'validation' or 'test' examples; got {self.split!r}.")

    def measured(self) -> Data:
        """The data with what is measured on as validation images."""
        return self.data if self.split == "validation" else replace(self.data, validation=self.data.test)

    def describe(self, net: Supernet) -> dict[str, Any]:
        """The regime as JSON, to recognise trainings made by it."""
        alone = self.recipe.alone(net.space.smallest()).describe()
        shapes = repr([(name, tuple(value.shape)) for name, value in net.state_dict().items()])
        return {
            "network": hashlib.sha256(shapes.encode()).hexdigest()[:16],
            "weights": alone["weights"],
            "program": {name: value for name, value in alone["program"].items() if name != "sampler"},
            "data": self.data.fingerprint(),
            "steps": self.steps,
            "batch_size": self.batch_size,
            "split": self.split,
            "calibration": describe(self.calibration),
            **({} if self.micro_batch is None else {"micro_batch": self.micro_batch}),
            **({} if self.precision == "32-true" else {"precision": self.precision}),
        }


@dataclass(frozen=True)
class Training:
    """What came of one training.

    Attributes:
        score: What the task compares networks by, such as top-1 accuracy, 0 … 1.
        loss: The mean loss of the task, such as cross-entropy in nats.
        seconds: Time of training and measuring.
    """

    score: float
    loss: float
    seconds: float


class Alone:
    """Trains architectures alone, one at a time, inside one supernet that starts afresh every time.

    The initial weights are those the supernet has when built under the seed, so a training is a function of
    architecture, seed and regime, whatever was trained before. Only parameters that the architecture uses are
    given to the optimiser.

    Args:
        regime: How each architecture is trained and measured.
    """

    def __init__(self, regime: Regime) -> None:
        self.regime = regime
        self.net = regime.build()
        self._fresh: tuple[int, dict[str, Tensor]] | None = None

    def __call__(self, arch: Arch, seed: int) -> Training:
        """Train and measure one architecture.

        Raises:
            UsageError: the architecture is not of this space, or the regime does not suit the network.
            RunError: the training diverged.
        """
        began, regime = time.perf_counter(), self.regime
        recipe = regime.recipe.alone(arch)
        for phase in recipe.phases:
            phase.program.check(self.net)
        self._restart(seed)
        data = regime.measured()
        used = _used_parameters(self.net, arch, data)
        self._restart(seed)  # the probe has moved BatchNorm statistics
        with _only(self.net, used):
            fit(
                self.net,
                recipe,
                data,
                steps=regime.steps,
                batch_size=regime.batch_size,
                seed=seed,
                accelerator=regime.accelerator,
                micro_batch=regime.micro_batch,
                precision=regime.precision,
                log_every=regime.steps,
                progress=False,
            )
        found = scores(self.net, arch, data, calibration=regime.calibration)
        return Training(found.value, found.loss, time.perf_counter() - began)

    def _restart(self, seed: int) -> None:
        if self._fresh is None or self._fresh[0] != seed:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                self._fresh = seed, self.regime.build().state_dict()
        self.net.load_state_dict(self._fresh[1])


def reinitialised(net: Supernet) -> Supernet:
    """A copy whose weights are drawn afresh from torch's generator, by `reset_parameters` of each of its layers.

    An initialisation that the network gave its layers afterwards is not repeated; where it matters, build the
    network anew.

    Raises:
        UsageError: a parameter belongs to a module that has no `reset_parameters`.
    """
    fresh = copy.deepcopy(net)
    for name, module in fresh.named_modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
        elif own := [key for key, _ in module.named_parameters(recurse=False)]:
            raise UsageError(
                f"The parameters {', '.join(own)} of {name or 'the network'} ({type(module).__name__}) cannot be drawn "
                "afresh, because it has no reset_parameters(). Give it one, or pass a function that builds the network."
            )
    return fresh


def _used_parameters(net: Supernet, arch: Arch, data: Data) -> set[nn.Parameter]:
    """Those that get a gradient when the architecture runs."""
    net.train()
    batch = next(data.validation.batches(2, limit=2))
    with torch.random.fork_rng():
        output = as_output(net(placed_like(net, batch.x), arch))
        total = torch.stack([tensor.sum() for tensor in (output.logits, *output.aux, *output.heads.values())]).sum()
        total.backward()  # type: ignore[no-untyped-call]
    used = {parameter for parameter in net.parameters() if parameter.grad is not None}
    net.zero_grad()
    return used


@contextmanager
def _only(net: Supernet, used: set[nn.Parameter]) -> Iterator[None]:
    """Inside, the other parameters need no gradient."""
    others = [parameter for parameter in net.parameters() if parameter.requires_grad and parameter not in used]
    for parameter in others:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)


# -- many of them --------------------------------------------------------------------------------------------------


def train_alone(
    net: Supernet | Callable[[], Supernet],
    recipe: Recipe,
    data: Data,
    archs: Sequence[Arch],
    *,
    steps: int,
    batch_size: int = 64,
    seeds: int | Sequence[int] = 1,
    out: Path | str | None = None,
    split: Literal["validation", "test"] = "validation",
    calibration: Calibration | None = DEFAULT,
    workers: int | str | Workers = 1,
    threads: int = 1,
    accelerator: str = "auto",
    micro_batch: int | None = None,
    precision: Precision = "32-true",
    progress: bool = True,
) -> Truth:
    """Train architectures alone, each from fresh weights, and note the score of each, such as its accuracy.

    A training is a function of architecture, seed and settings: neither the number of workers nor what was
    trained before changes a bit of it (same machine). Each is written to `out` as soon as it is done; called
    again, only those that are missing are run. All architectures have their first training before any has its
    second.

    Args:
        net: A function that builds the supernet with fresh weights; or a supernet, of which only the layers'
            `reset_parameters` are used, never the weights. For `workers` above 1 it must be importable.
        recipe: Optimiser, schedule and objective; its sampler is replaced by the one architecture.
        data: The data set with the training images and those that are measured on.
        archs: The architectures to train; one that is given twice is trained once.
        steps: Number of training steps of each architecture.
        batch_size: Number of images per training step.
        seeds: Number of trainings of each architecture (seeds 0, 1, …), or their seeds. A seed decides initial weights,
            image order and augmentation.
        out: A `.jsonl` file that grows by a line per training; None keeps nothing.
        split: Measure on the validation images; on the test images only if told so.
        calibration: BatchNorm statistics for the measurement; None keeps those of the training, which networks
            built with `statistics="track"` have.
        workers: Number of processes, text for workers of a Ray cluster such as `"ray:8"`, or a value of
            `supernet.workers`. A script that uses more than one needs `if __name__ == "__main__":`. The training of
            one that dies is begun again by another, up to three times.
        threads: Number of CPU threads of each process.
        accelerator: Kind of processor to train on: `"auto"`, `"cpu"`, `"cuda"` or `"mps"`.
        micro_batch: Number of images of a batch that go through the network at a time, the gradients being averaged;
            None: the whole batch.
        precision: Arithmetic of the trainings: `"32-true"`, or `"bf16-mixed"` (float32 weights).
        progress: Whether to show progress.

    Returns:
        The truth about `archs`, in their order.

    Raises:
        UsageError: no architectures, an option outside its range, a network that cannot be made afresh or sent to
            another process, or `out` holds trainings by other settings.
        RunError: a training diverged, a process died, or the file cannot be written.
    """
    chosen = _seeds(seeds)
    for name, value in (("steps", steps), ("batch_size", batch_size), ("threads", threads)):
        if value < 1:
            raise UsageError(f"{name} is {value}; it must be at least 1. Give a larger number.")
    team = workers_of(workers) if isinstance(workers, int | str) else workers
    if not archs:
        raise UsageError("There is nothing to train; give at least one architecture.")
    regime = Regime(
        build=partial(reinitialised, net) if isinstance(net, Supernet) else net,
        recipe=recipe,
        data=data,
        steps=steps,
        batch_size=batch_size,
        split=split,
        calibration=calibration,
        accelerator=accelerator,
        micro_batch=micro_batch,
        precision=precision,
    )
    example = regime.build()
    archs = example.space.wrap(example.space.codes(list(dict.fromkeys(archs))))
    settings = regime.describe(example)
    score = data.task.scores[0]
    source = f"each trained alone on {data.name}: {steps} steps of {batch_size} examples, {split} {score.name}"
    with TruthFile(out, example.space, metric=score, source=source, settings=settings) as file:
        jobs = [(arch, seed) for seed in chosen for arch in archs if (arch, seed) not in file]
        total = len(archs) * len(chosen)
        run = _here(regime, jobs, threads) if team is None else _side_by_side(regime, jobs, team, threads)
        with ProgressBar("train alone", total, unit="trainings", start=total - len(jobs), enabled=progress) as bar:
            for done, ((arch, seed), training) in enumerate(run, start=total - len(jobs) + 1):
                file.append(arch, seed, training.score, loss=training.loss, seconds=round(training.seconds, 3))
                bar.update(done, f"{score.name} {training.score:.3f}")
        return file.truth(seeds=chosen).subset(archs)


def _seeds(seeds: int | Sequence[int]) -> list[int]:
    chosen = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not chosen or len(set(chosen)) < len(chosen) or min(chosen) < 0:
        raise UsageError(
            f"seeds={seeds!r}: give the number of trainings of each architecture, at least 1, or their seeds: "
            "different whole numbers from 0 up."
        )
    return chosen


def _here(regime: Regime, jobs: Iterable[Job], threads: int) -> Iterator[tuple[Job, Training]]:
    alone = Alone(regime)
    with threads_of(threads):
        for arch, seed in jobs:
            yield (arch, seed), alone(arch, seed)


def _side_by_side(
    regime: Regime, jobs: Sequence[Job], workers: Workers, threads: int
) -> Iterator[tuple[Job, Training]]:
    """Each worker gets the regime once, by value, and architectures as codes."""
    if not jobs:
        return
    on_gpu = regime.accelerator in ("auto", "cuda") and torch.cuda.is_available()
    work = Work(_training, regime, threads=threads, on_gpu=on_gpu, to_do="train architectures")
    with Crew(workers, work, most=len(jobs)) as crew:
        numbers = {crew.submit((arch.code, seed)): (arch, seed) for arch, seed in jobs}
        for number, training in crew.finished():
            yield numbers[number], training


def _training(regime: Regime) -> Callable[[tuple[tuple[int, ...], int]], Training]:
    """What a worker does."""
    alone = Alone(regime)

    def trained(task: tuple[tuple[int, ...], int]) -> Training:
        code, seed = task
        (arch,) = alone.net.space.wrap(np.asarray([code]))
        return alone(arch, seed)

    return trained
