"""Accuracy and loss of subnets on images that no weight was trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import NamedTuple, TypedDict, Unpack

import torch
import torch.nn.functional as F
from torch import nn

from supernet.data import Batch, ImageData, Split
from supernet.errors import RunError, UsageError
from supernet.measure.scores.batch_statistics import tracked_batch_norms
from supernet.measure.scores.calibration import DEFAULT, Calibration
from supernet.measure.scores.recalibration import activated, calibrated
from supernet.measure.untouched import placed_like, untouched
from supernet.precision import Precision
from supernet.space import Arch


class Scores(NamedTuple):
    """Of one subnet on a set of images.

    Attributes:
        accuracy: Share of the images whose class got the largest logit (top-1), 0 … 1.
        loss: Mean cross-entropy in nats.
        images: Number of images they were measured on.
    """

    accuracy: float
    loss: float
    images: int


def scores(
    net: nn.Module,
    arch: Arch | None,
    data: ImageData | Split,
    *,
    calibration: Calibration | None = DEFAULT,
    batch_size: int = 512,
    images: int | None = None,
) -> Scores:
    """Accuracy and loss of one subnet, in evaluation mode, with weights inherited from the supernet.

    Args:
        net: A supernet, or any module that returns logits (B, K); then `arch` is None.
        arch: The architecture to measure; None where `net` is no supernet.
        data: A data set, of which the validation images are used (never the test images); or a split, all of it.
        calibration: How to recompute BatchNorm statistics first; None keeps those that the network holds.
        batch_size: Number of images per batch. It changes the result only where BatchNorm uses the batch
            (`statistics="batch"`).
        images: Number of images to use, the first ones; None: all of them.

    Raises:
        UsageError: a calibration is asked for but only a split was given; or none is, and the network's policy
            `statistics="calibrate"` left it without statistics.
        RunError: a logit is not a finite number.
    """
    split = data.validation if isinstance(data, ImageData) else data
    if calibration is not None and not isinstance(data, ImageData) and tracked_batch_norms(net):
        raise UsageError(
            "BatchNorm statistics are calibrated on training images, but only one split was given. Pass the whole "
            "data set, or calibration=None to keep the statistics that the network holds."
        )
    return run_scores(net, arch, split.batches(batch_size, limit=images), calibration, data)


class Options(TypedDict, total=False):
    """The keywords of `scores`, which documents them."""

    calibration: Calibration | None
    batch_size: int
    images: int | None


def accuracy(net: nn.Module, arch: Arch | None, data: ImageData | Split, **options: Unpack[Options]) -> float:
    """Top-1 accuracy 0 … 1 of one subnet; see `scores` for arguments and errors."""
    return scores(net, arch, data, **options).accuracy


def loss(net: nn.Module, arch: Arch | None, data: ImageData | Split, **options: Unpack[Options]) -> float:
    """Mean cross-entropy in nats of one subnet; see `scores` for arguments and errors."""
    return scores(net, arch, data, **options).loss


def accuracies(
    net: nn.Module,
    archs: Sequence[Arch],
    data: ImageData | Split,
    *,
    progress: Callable[[int, Scores], None] = lambda done, latest: None,
    **options: Unpack[Options],
) -> list[float]:
    """Top-1 accuracies of many subnets; see `scores` for the other arguments and errors.

    Args:
        archs: The architectures to measure.
        progress: A function that is called after each architecture with the number done and its scores.
    """
    found = []
    for done, arch in enumerate(archs, start=1):
        latest = scores(net, arch, data, **options)
        found.append(latest.accuracy)
        progress(done, latest)
    return found


def run_scores(
    net: nn.Module,
    arch: Arch | None,
    batches: Iterable[Batch],
    calibration: Calibration | None,
    data: ImageData | Split,
    *,
    precision: Precision = "32-true",
) -> Scores:
    """`scores` on batches that may have been prepared once for many subnets, in some precision."""
    correct, total, images = 0, 0.0, 0
    with ExitStack() as stack, torch.no_grad():
        if precision == "bf16-mixed":
            stack.enter_context(torch.autocast(next(net.parameters()).device.type, dtype=torch.bfloat16))
        if calibration is None:
            _check_calibrated(net)
            stack.enter_context(untouched(net))
            stack.enter_context(activated(net, arch))
        else:
            stack.enter_context(calibrated(net, arch, data, calibration))
        for x, y in batches:
            logits = net(placed_like(net, x))
            if not torch.isfinite(logits).all():
                raise RunError(
                    f"The network's output is not finite (NaN or infinite) for {arch or type(net).__name__}. Its "
                    "weights have diverged, or its BatchNorm statistics are unusable: go back to an earlier checkpoint."
                )
            y = y.to(logits.device)
            total += F.cross_entropy(logits.float(), y, reduction="sum").item()
            correct += int((logits.argmax(1) == y).sum())
            images += len(y)
    return Scores(correct / images, total / images, images)


def _check_calibrated(net: nn.Module) -> None:
    """Refuse BatchNorms whose policy is to be calibrated first, and that never were."""
    for layer in tracked_batch_norms(net):
        mean, var = layer.get_buffer("running_mean"), layer.get_buffer("running_var")
        if layer.momentum == 0.0 and not mean.any() and bool((var == 1).all()):
            raise UsageError(
                'The BatchNorms of this network (statistics="calibrate") keep no statistics of their own and were '
                "never given any. Pass a calibration, such as measure.Calibration()."
            )
