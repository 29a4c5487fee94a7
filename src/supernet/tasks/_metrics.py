"""Meters made of metrics of torchmetrics, and what the checks of several tasks share."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor

from supernet.errors import UsageError, require
from supernet.nn.batch import Batch, shapes
from supernet.nn.output import Output
from supernet.quantity import LOSS

Figures: TypeAlias = Mapping[str, Any]
"""Metrics by name."""


class Metrics:
    """A meter: the mean loss of the examples, and metrics that see all examples together.

    Args:
        loss: The sum of the losses of the examples of a batch.
        made: Makes the metrics for the first output.
        read: What the metrics are updated with: what was predicted, and what was asked.
        told: The scores by name from the metrics; None: each metric is a score.
    """

    def __init__(
        self,
        loss: Callable[[Output, Batch], Tensor],
        made: Callable[[Output], Figures],
        read: Callable[[Output, Batch], tuple[Any, Any]],
        told: Callable[[Figures], Mapping[str, float]] | None = None,
    ) -> None:
        self._loss_of, self._made, self._read, self._told = loss, made, read, told
        self._metrics: Figures | None = None
        self._loss, self._count = 0.0, 0

    def add(self, output: Output, batch: Batch) -> None:
        output = output._replace(logits=output.logits.float(), heads={n: h.float() for n, h in output.heads.items()})
        self._loss += self._loss_of(output, batch).item()
        self._count += batch.size
        asked = self._read(output, batch)
        if self._metrics is None:
            device = asked[0].device if isinstance(asked[0], Tensor) else "cpu"
            self._metrics = {name: metric.to(device) for name, metric in self._made(output).items()}
        for metric in self._metrics.values():
            metric.update(*asked)

    def values(self) -> dict[str, float]:
        metrics = self._metrics or {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of classes that no example has
            told = {n: float(m.compute()) for n, m in metrics.items()} if self._told is None else self._told(metrics)
        return {**told, LOSS.name: self._loss / self._count}


def required(task: str) -> None:
    """Check that torchmetrics can be imported.

    Raises:
        RunError: it is not installed.
    """
    require("torchmetrics", "tasks", f"Measuring {task}")


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """The losses (B,) of the examples as one number."""
    return losses.sum() if reduction == "sum" else losses.mean()


def one_tensor(batch: Batch, data: str, task: str, asked: str) -> Tensor:
    """The targets as one tensor.

    Raises:
        UsageError: they are several tensors.
    """
    if isinstance(batch.y, Tensor):
        return batch.y
    raise UsageError(f"{task} needs {asked}, but the targets of {data} are {shapes(batch.y)}. Name one of them.")


def finite(values: Tensor, what: str, data: str) -> None:
    """Refuse NaN and infinite targets.

    Raises:
        UsageError: there is one; says how many.
    """
    if values.is_floating_point() and not bool(torch.isfinite(values).all()):
        bad = int((~torch.isfinite(values)).sum())
        raise UsageError(
            f"{what} of {data} hold {bad} values that are NaN or infinite, of {values.numel()} that were looked at. "
            "Leave such examples out, or give their targets a value."
        )
