"""Numbers for each example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn.batch import Batch, shapes
from supernet.nn.output import Output
from supernet.quantity import LOSS, Quantity
from supernet.tasks._metrics import Figures, Metrics, finite, one_tensor, reduced, required
from supernet.tasks._protocol import Meter, Reduction

_R2 = Quantity("r2", goal="max")


@dataclass(frozen=True)
class Regression:
    """One number for each example, or several: squared, absolute or Huber's distance; RMSE, MAE and R².

    Networks return ``(B, D)`` values, or ``(B,)`` for one; targets are ``(B, D)``, or ``(B,)``.

    Scores: ``rmse``, the root of the mean squared error over all values; ``mae``, the mean absolute error; ``r2``, the
    coefficient of determination, a mean over the D values; and the loss. They come from torchmetrics (extra ``tasks``).

    Args:
        distance: The loss of a value: ``"mse"``, (ŷ − y)²; ``"l1"``, |ŷ − y|; ``"huber"``, which is ½ (ŷ − y)² up to
            ``delta`` and delta (|ŷ − y| − ½ delta) beyond.
        delta: Where Huber's distance becomes a straight line, in the unit of the targets.
        values: D, the number of values of an example.
        unit: Unit of the targets, which reports print after RMSE and MAE.
        rank_by: The score that subnets are compared by.

    Raises:
        UsageError: A value is out of range.
    """

    distance: Literal["mse", "l1", "huber"] = "mse"
    delta: float = 1.0
    values: int = 1
    unit: str = ""
    rank_by: Literal["rmse", "mae", "r2"] = "rmse"

    def __post_init__(self) -> None:
        if self.distance not in ("mse", "l1", "huber"):
            raise UsageError(f"Regression(distance={self.distance!r}) is unknown; give 'mse', 'l1' or 'huber'.")
        if self.rank_by not in ("rmse", "mae", "r2"):
            raise UsageError(f"Regression(rank_by={self.rank_by!r}) is no score of it; give 'rmse', 'mae' or 'r2'.")
        if not self.delta > 0 or self.values < 1:
            raise UsageError(
                f"Regression(delta={self.delta}, values={self.values}): delta is above 0, and there is at least one "
                "value."
            )

    @property
    def scores(self) -> tuple[Quantity, ...]:
        """RMSE, MAE, R² and loss; what ranks comes first."""
        known = (Quantity("rmse", self.unit), Quantity("mae", self.unit), _R2)
        return (*sorted(known, key=lambda score: score.name != self.rank_by), LOSS)

    def loss(
        self, output: Output, batch: Batch, *, label_smoothing: float = 0.0, reduction: Reduction = "mean"
    ) -> Tensor:
        """The distance, a mean over the values of an example; nothing is smoothed."""
        return reduced(self._distance(_rows(output.logits), _rows(batch.labels)), reduction)

    def distillation(self, output: Output, teacher: Output, batch: Batch, *, temperature: float = 1.0) -> Tensor:
        """The same distance from the teacher's values; there are no logits to divide by a temperature."""
        return self._distance(_rows(output.logits), _rows(teacher.logits)).mean()

    def errors(self, output: Output, batch: Batch) -> Tensor:
        """None: numbers are wrong by any amount.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            'Regression has no error between 0 and 1. Rate by the loss (measure="loss"), or train by another method.'
        )

    def meter(self) -> Meter:
        """Adds up in float64, as targets may lie far from zero."""
        required("a regression")
        return Metrics(lambda o, b: self.loss(o, b, reduction="sum"), _metrics, _read, _told)

    def outputs(self, classes: int) -> int:
        """One for each value."""
        return self.values

    def check(self, output: Output, batch: Batch, *, data: str, classes: int) -> None:
        """See `Task.check`."""
        D = self.values
        found = tuple(output.logits.shape)
        if found != (batch.size, D) and not (D == 1 and found == (batch.size,)):
            raise UsageError(
                f"Regression asks for {D} value{'s' * (D > 1)} per example, but the network returns {found[1:]}. Build "
                f"it with num_classes={D}, or say how many there are: Regression(values=…)."
            )
        y = one_tensor(batch, data, "Regression", f"targets of shape ({batch.size}, {D})")
        if tuple(y.shape) != (batch.size, D) and not (D == 1 and tuple(y.shape) == (batch.size,)):
            raise UsageError(
                f"Regression needs {D} value{'s' * (D > 1)} per example, of shape ({batch.size}, {D}), but the targets "
                f"of {data} are {shapes(y)}. Say how many there are: Regression(values=…)."
            )
        finite(y, "The targets", data)

    def chance(self, classes: int) -> float | None:
        """None: it is the spread of the targets, which the task does not know."""
        return None

    def _distance(self, values: Tensor, targets: Tensor) -> Tensor:
        if values.shape != targets.shape:  # would be stretched over each other without a word
            raise UsageError(
                f"The network returns values of shape {tuple(values.shape)} for targets of {tuple(targets.shape)}."
            )
        match self.distance:
            case "mse":
                losses = F.mse_loss(values, targets, reduction="none")
            case "l1":
                losses = F.l1_loss(values, targets, reduction="none")
            case "huber":
                losses = F.huber_loss(values, targets, reduction="none", delta=self.delta)
        return losses.mean(1)


def _rows(values: Tensor) -> Tensor:
    return values.float().reshape(len(values), -1)


def _metrics(output: Output) -> Figures:
    from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError, R2Score

    return {"rmse": MeanSquaredError(squared=False), "mae": MeanAbsoluteError(), "r2": R2Score()}


def _read(output: Output, batch: Batch) -> tuple[Tensor, Tensor]:
    pairs = (_rows(output.logits), _rows(batch.labels))
    values, targets = (tensor.squeeze(1).cpu().double().contiguous() for tensor in pairs)
    return values, targets


def _told(metrics: Figures) -> dict[str, float]:
    known = {name: float(metric.compute()) for name, metric in metrics.items() if name != "r2"}
    spread = int(metrics["r2"].total) > 1  # of a single example there is none
    return {**known, "r2": float(metrics["r2"].compute()) if spread else float("nan")}
