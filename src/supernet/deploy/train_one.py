"""One architecture trained for use: from scratch, or further from the weights it inherits."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from supernet.data import Data
from supernet.errors import UsageError
from supernet.io.run_directory import RunDirectory
from supernet.judge.alone import reinitialised
from supernet.measure.scores.batch_statistics import tracked_batch_norms
from supernet.nn import Supernet
from supernet.nn.given import check_supernet
from supernet.space import Arch
from supernet.train import Cosine, CrossEntropy, Recipe, TrainPaths, Uniform, fit, sgd


def retrained(
    net: Supernet | Callable[[], Supernet],
    arch: Arch,
    data: Data,
    *,
    steps: int,
    start: Literal["scratch", "inherited"] = "scratch",
    recipe: Recipe | None = None,
    batch_size: int = 64,
    micro_batch: int | None = None,
    seed: int = 0,
    out: RunDirectory | Path | str | None = None,
    resume: bool = False,
    accelerator: str = "auto",
    precision: str = "32-true",
    progress: bool = True,
    stop_after: int | None = None,
) -> Supernet:
    """A supernet in which one architecture has been trained alone, through the same loop as any supernet.

    It is for exporting that architecture (`export(net, arch, …)`): the other subnets share its weights and are spoilt.

    Args:
        net: The supernet, left as it is; or a function that builds it.
        arch: The architecture to train.
        data: The data set with the training images.
        steps: Number of training steps of the whole.
        start: `"scratch"`: fresh weights, those of the function under the seed, or drawn by the layers'
            `reset_parameters`. `"inherited"`: the weights that the supernet has now, which is called fine-tuning.
        recipe: Method whose optimiser, schedule and objective are used, as `Recipe.alone` takes them for one
            architecture. Default: `plain_sgd` with the learning rate 0.05 from scratch and 0.01 from inherited weights.
        batch_size: Number of images per step; all there are, if these are fewer.
        micro_batch: Number of images of a batch that go through the network at a time; None: the whole batch.
        seed: Seed of fresh weights, image order, augmentation and dropout.
        out: Run directory for log and checkpoints; None keeps nothing.
        resume: Whether to go on from the newest checkpoint in `out`, if there is one.
        accelerator: Kind of processor to train on: `"auto"`, `"cpu"`, `"cuda"` or `"mps"`.
        precision: Arithmetic of the training: `"32-true"` or `"bf16-mixed"`.
        progress: Whether to show progress.
        stop_after: Number of steps of the whole after which to return, with a checkpoint.

    Raises:
        UsageError: the architecture is not in the space, an option is out of range, fresh weights cannot be drawn, or
            `out` holds another training.
        RunError: the loss is not finite, the training was interrupted, or a file cannot be read or written.
    """
    if start not in ("scratch", "inherited"):
        raise UsageError(f"start={start!r} does not exist for a retraining; use 'scratch' or 'inherited'.")
    if not isinstance(net, Supernet) and start == "inherited":
        raise UsageError("A function that builds a supernet has no weights to inherit; pass the trained supernet.")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if not isinstance(net, Supernet):
            copied = net()
        else:
            copied = reinitialised(net) if start == "scratch" else copy.deepcopy(net)
    check_supernet(copied)
    arch = copied.space.taken(arch)
    base = plain_sgd(0.05 if start == "scratch" else 0.01) if recipe is None else recipe
    fit(
        copied,
        replace(base.alone(arch), name=f"retrain from {start}"),
        data,
        steps=steps,
        batch_size=min(batch_size, len(data.train)),
        micro_batch=micro_batch,
        seed=seed,
        out=out,
        resume=resume,
        accelerator=accelerator,
        precision=precision,
        progress=progress,
        stop_after=stop_after,
    )
    if start == "scratch" and all(layer.momentum != 0.0 for layer in tracked_batch_norms(copied)):
        copied.statistics_belong_to(arch)  # collected while no other path ran
    return copied


def plain_sgd(lr: float, *, momentum: float = 0.9, weight_decay: float = 1e-4, label_smoothing: float = 0.1) -> Recipe:
    """SGD with a cosine schedule and label smoothing; `retrained` exchanges its uniform sampler for one architecture.

    Args:
        lr: Learning rate at the start.
        momentum: Momentum of SGD, in [0, 1).
        weight_decay: Weight decay of weights; biases and norms have none.
        label_smoothing: Label smoothing of the cross-entropy.
    """
    return Recipe(
        name="sgd",
        program=TrainPaths(sampler=Uniform(), objective=CrossEntropy(label_smoothing)),
        weights=sgd(lr, momentum=momentum, weight_decay=weight_decay, schedule=Cosine(), decay_vectors=False),
    )
