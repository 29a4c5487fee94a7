"""Scores and loss of subnets on examples that no weight was trained on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from typing import TypedDict, Unpack

import torch
from torch import nn

from supernet.data import Batch, Data, Split
from supernet.errors import RunError, SupernetError, UsageError
from supernet.measure.scores.batch_statistics import tracked_batch_norms
from supernet.measure.scores.calibration import DEFAULT, Calibration
from supernet.measure.scores.recalibration import activated, calibrated
from supernet.measure.untouched import batch_like, untouched
from supernet.nn.batch import Fields, called
from supernet.nn.output import Output, as_output
from supernet.precision import Precision
from supernet.quantity import ACCURACY, LOSS, Quantity
from supernet.space import Arch
from supernet.tasks import Classification, Task, take_in


@dataclass(frozen=True)
class Scores:
    """Of one subnet on a set of examples.

    Attributes:
        values: The loss and the scores of the task, by name.
        score: What the task compares subnets by.
        images: Number of examples they were measured on.
    """

    values: Mapping[str, float]
    score: Quantity
    images: int

    def __getitem__(self, name: str) -> float:
        """A score by name.

        Raises:
            UsageError: the task has none of this name.
        """
        if name not in self.values:
            raise UsageError(f"The task has no score {name!r}; it has {', '.join(self.values)}.")
        return self.values[name]

    @property
    def value(self) -> float:
        """What the task compares subnets by, such as their accuracy."""
        return self[self.score.name]

    @property
    def accuracy(self) -> float:
        """Share of the examples whose class got the largest logit (top-1), 0 … 1.

        Raises:
            UsageError: the task has no accuracy.
        """
        return self[ACCURACY.name]

    @property
    def loss(self) -> float:
        """The mean loss of the task; cross-entropy in nats."""
        return self[LOSS.name]


def scores(
    net: nn.Module,
    arch: Arch | None,
    data: Data | Split,
    *,
    calibration: Calibration | None = DEFAULT,
    batch_size: int = 512,
    images: int | None = None,
    task: Task | None = None,
) -> Scores:
    """The scores and the loss of one subnet, in evaluation mode, with weights inherited from the supernet.

    Args:
        net: A supernet, or any module that returns what the task asks for; then `arch` is None.
        arch: The architecture to measure; None where `net` is no supernet.
        data: A data set, of which the validation examples are used (never the test ones); or a split, all of it.
        calibration: How to recompute BatchNorm statistics first; None keeps those that the network holds.
        batch_size: Number of examples per batch. It changes the result only where BatchNorm uses the batch
            (`statistics="batch"`).
        images: Number of examples to use, the first ones; None: all of them.
        task: What is asked of the network; None: the task of the data, of a split classification.

    Raises:
        UsageError: a calibration is asked for but only a split was given; or none is, and the network's policy
            `statistics="calibrate"` left it without statistics; or the network does not return what the task asks for.
        RunError: an output or a score is not a finite number.
    """
    split = data.validation if isinstance(data, Data) else data
    if calibration is not None and not isinstance(data, Data) and tracked_batch_norms(net):
        raise UsageError(
            "BatchNorm statistics are calibrated on training examples, but only one split was given. Pass the whole "
            "data set, or calibration=None to keep the statistics that the network holds."
        )
    return run_scores(net, arch, split.batches(batch_size, limit=images), calibration, data, task=task)


class Options(TypedDict, total=False):
    """The keywords of `scores`, which documents them."""

    calibration: Calibration | None
    batch_size: int
    images: int | None


def accuracy(net: nn.Module, arch: Arch | None, data: Data | Split, **options: Unpack[Options]) -> float:
    """Top-1 accuracy 0 … 1 of one subnet; see `scores` for arguments and errors."""
    return scores(net, arch, data, **options).accuracy


def loss(net: nn.Module, arch: Arch | None, data: Data | Split, **options: Unpack[Options]) -> float:
    """Mean cross-entropy in nats of one subnet; see `scores` for arguments and errors."""
    return scores(net, arch, data, **options).loss


def accuracies(
    net: nn.Module,
    archs: Sequence[Arch],
    data: Data | Split,
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
    data: Data | Split,
    *,
    task: Task | None = None,
    precision: Precision = "32-true",
) -> Scores:
    """`scores` on batches that may have been prepared once for many subnets, in some precision."""
    tally = Tally(data, task, arch or type(net).__name__)

    def network(x: Fields) -> Output:
        return as_output(called(net, x))

    with ExitStack() as stack, torch.no_grad():
        stack.enter_context(computed_in(net, precision))
        if calibration is None:
            check_calibrated(net)
            stack.enter_context(untouched(net))
            stack.enter_context(activated(net, arch))
        else:
            stack.enter_context(calibrated(net, arch, data, calibration))
        for given in batches:
            batch = batch_like(net, given)
            tally.add(network(batch.x), batch, network)
    return tally.scores()


class Tally:
    """The scores of one subnet, as its outputs come in.

    Args:
        data: What it is measured on.
        task: What is asked of it; None: the task of the data, of a split classification.
        subject: What is measured, for the messages of errors.
    """

    def __init__(self, data: Data | Split, task: Task | None, subject: object) -> None:
        self._name, self._classes, asked = "a split", 0, task
        if isinstance(data, Data):
            self._name, self._classes, asked = data.name, data.num_classes, task or data.task
        self._task = asked or Classification()
        self._subject, self._images = subject, 0
        self.meter = self._task.meter()

    def add(self, output: Output, batch: Batch, network: Callable[[Fields], Output]) -> None:
        """Take in what the subnet says of a batch.

        Args:
            output: What it says.
            batch: The examples.
            network: The subnet, which the meter may ask more.

        Raises:
            UsageError: it is not what the task asks for.
            RunError: it is not finite.
        """
        if not all(torch.isfinite(t).all() for t in (output.logits, *output.heads.values())):
            raise RunError(
                f"The network's output is not finite (NaN or infinite) for {self._subject}. Its weights have diverged, "
                "or its BatchNorm statistics are unusable: go back to an earlier checkpoint."
            )
        if not self._images:
            self._task.check(output, batch, data=self._name, classes=self._classes)
        try:
            take_in(self.meter, output, batch, network)
        except (IndexError, RuntimeError, ValueError) as error:
            if not isinstance(error, SupernetError):
                # says which target of which field it is
                self._task.check(output, batch, data=self._name, classes=self._classes)
            raise
        self._images += batch.size

    def scores(self) -> Scores:
        """The scores of all batches.

        Raises:
            UsageError: the meter tells no score of the task.
            RunError: a score is not finite.
        """
        values, task = self.meter.values(), self._task
        for score in task.scores:
            if score.name not in values:
                raise UsageError(
                    f"The meter of {type(task).__name__} tells {', '.join(values) or 'nothing'}, but not the score "
                    f"{score.name!r} of the task. Let values() of the meter have all of the task's scores."
                )
            if not math.isfinite(values[score.name]):
                raise RunError(
                    f"The score {score.name!r} of {type(task).__name__} is {values[score.name]} for {self._subject} on "
                    f"{self._images} examples of {self._name}. Look at the targets, or at the metric."
                )
        return Scores(values, task.scores[0], self._images)


def computed_in(net: nn.Module, precision: Precision) -> AbstractContextManager[object]:
    """Arithmetic of a precision, inside."""
    if precision == "bf16-mixed":
        return torch.autocast(next(net.parameters()).device.type, dtype=torch.bfloat16)
    return nullcontext()


def check_calibrated(net: nn.Module) -> None:
    """Refuse BatchNorms whose policy is to be calibrated first, and that never were."""
    for layer in tracked_batch_norms(net):
        mean, var = layer.get_buffer("running_mean"), layer.get_buffer("running_var")
        if layer.momentum == 0.0 and not mean.any() and bool((var == 1).all()):
            raise UsageError(
                'The BatchNorms of this network (statistics="calibrate") keep no statistics of their own and were '
                "never given any. Pass a calibration, such as measure.Calibration()."
            )
