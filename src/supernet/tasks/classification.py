"""One class for each example."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn.batch import Batch, shapes
from supernet.nn.output import Output
from supernet.quantity import ACCURACY, LOSS, Quantity
from supernet.tasks._protocol import Reduction


@dataclass(frozen=True)
class Classification:
    """One class for each example: cross-entropy, and top-1 accuracy.

    Networks return logits ``(B, K)``; targets are class indices ``(B,)``, int64, or probabilities ``(B, K)``, as mixed
    images have them.
    """

    @property
    def scores(self) -> tuple[Quantity, ...]:
        """Accuracy and loss."""
        return ACCURACY, LOSS

    def loss(
        self, output: Output, batch: Batch, *, label_smoothing: float = 0.0, reduction: Reduction = "mean"
    ) -> Tensor:
        """Cross-entropy in nats."""
        return F.cross_entropy(output.logits, batch.labels, label_smoothing=label_smoothing, reduction=reduction)

    def distillation(self, output: Output, teacher: Output, batch: Batch, *, temperature: float = 1.0) -> Tensor:
        """T² · H(softmax(teacher / T), softmax(logits / T)), a mean over the examples."""
        target = F.softmax(teacher.logits / temperature, dim=1)
        return F.cross_entropy(output.logits / temperature, target) * temperature**2

    def errors(self, output: Output, batch: Batch) -> Tensor:
        """The number of examples whose class did not get the largest logit."""
        return (output.logits.argmax(1) != _index(batch)).sum()

    def meter(self) -> _Meter:
        """Counts right answers, and adds up losses."""
        return _Meter()

    def outputs(self, classes: int) -> int:
        """One logit per class."""
        return classes

    def check(self, output: Output, batch: Batch, *, data: str, classes: int) -> None:
        """See `Task.check`."""
        y, found = batch.y, tuple(output.logits.shape[1:])
        if output.logits.ndim != 2 or output.logits.shape[1] < classes:
            raise UsageError(
                f"The data {data} have {classes} classes, but the network returns {found} values per example. Build "
                f"it with num_classes={classes}, or say which task it is for (--task, Data.task)."
            )
        soft = isinstance(y, Tensor) and y.is_floating_point() and tuple(y.shape) == tuple(output.logits.shape)
        if not soft and not (isinstance(y, Tensor) and y.dtype == torch.int64 and tuple(y.shape) == (batch.size,)):
            raise UsageError(
                f"Classification needs one class index per example, int64 of shape ({batch.size},), but the targets of "
                f"{data} are {shapes(y)}. Give such labels, or say which task the data are for (--task, Data.task)."
            )
        if not soft and isinstance(y, Tensor) and not (int(y.min()) >= 0 and int(y.max()) < output.logits.shape[1]):
            raise UsageError(
                f"The targets of {data} have the label {int(y.max()) if y.min() >= 0 else int(y.min())}, but labels go "
                f"from 0 to {output.logits.shape[1] - 1}: the network returns {output.logits.shape[1]} logits."
            )

    def chance(self, classes: int) -> float | None:
        """ln K."""
        return math.log(classes)


class _Meter:
    def __init__(self) -> None:
        self._correct, self._loss, self._count = 0, 0.0, 0

    def add(self, output: Output, batch: Batch) -> None:
        y = batch.labels
        self._loss += F.cross_entropy(output.logits.float(), y, reduction="sum").item()
        self._correct += int((output.logits.argmax(1) == _index(batch)).sum())
        self._count += len(y)

    def values(self) -> dict[str, float]:
        return {ACCURACY.name: self._correct / self._count, LOSS.name: self._loss / self._count}


def _index(batch: Batch) -> Tensor:
    y = batch.labels
    return y.argmax(1) if y.ndim == 2 else y
