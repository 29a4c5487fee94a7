"""Several labels for each example, each of them or none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn.batch import Batch, shapes
from supernet.nn.output import Output
from supernet.quantity import LOSS, Quantity
from supernet.tasks._metrics import Figures, Metrics, finite, one_tensor, reduced, required
from supernet.tasks._protocol import Meter, Reduction

_MAP = Quantity("map", goal="max", share=True)
_F1 = Quantity("f1", goal="max", share=True)


@dataclass(frozen=True)
class MultiLabel:
    """Any number of labels for each example: binary cross-entropy; mean average precision and F1.

    Networks return logits ``(B, K)``; targets ``(B, K)`` are 0 or 1, whole numbers, truth values or floats, or shares
    between, as mixed images have them.

    Scores: ``map``, the mean over the labels of the average precision; ``f1``, the mean over the labels of F1 at the
    threshold; and the loss. Labels that no example has are left out of both means. They come from torchmetrics (extra
    ``tasks``).

    Args:
        rank_by: The score that subnets are compared by, ``"map"`` or ``"f1"``.
        threshold: Probability from which on a label counts as given, for F1 and errors.
        positive_weights: Factors on the loss of the examples that have a label, one per label, for labels that are
            rare; empty: none.

    Raises:
        UsageError: A value is out of range.
    """

    rank_by: Literal["map", "f1"] = "map"
    threshold: float = 0.5
    positive_weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.rank_by not in ("map", "f1"):
            raise UsageError(f"MultiLabel(rank_by={self.rank_by!r}) is no score of it; give 'map' or 'f1'.")
        if not 0 < self.threshold < 1:
            raise UsageError(f"MultiLabel(threshold={self.threshold}) is no probability between 0 and 1.")
        if any(not 0 < weight < math.inf for weight in self.positive_weights):
            raise UsageError(f"MultiLabel(positive_weights={self.positive_weights}): give factors above 0.")

    @property
    def scores(self) -> tuple[Quantity, ...]:
        """Mean average precision, F1 and loss; what ranks comes first."""
        return (_MAP, _F1, LOSS) if self.rank_by == "map" else (_F1, _MAP, LOSS)

    def loss(
        self, output: Output, batch: Batch, *, label_smoothing: float = 0.0, reduction: Reduction = "mean"
    ) -> Tensor:
        """Binary cross-entropy in nats, a mean over the labels of an example.

        Smoothed by ε, targets are y (1 − ε) + ε / 2: spread over having a label and not having it.
        """
        target = batch.labels.float() * (1 - label_smoothing) + label_smoothing / 2
        logits, weights = output.logits, self._weights(output.logits)
        losses = F.binary_cross_entropy_with_logits(logits, target, pos_weight=weights, reduction="none")
        return reduced(losses.mean(1), reduction)

    def distillation(self, output: Output, teacher: Output, batch: Batch, *, temperature: float = 1.0) -> Tensor:
        """T² · H(σ(teacher / T), σ(logits / T)), a mean over labels and examples, weighed as in the loss."""
        target, logits = torch.sigmoid(teacher.logits / temperature), output.logits / temperature
        return F.binary_cross_entropy_with_logits(logits, target, pos_weight=self._weights(logits)) * temperature**2

    def errors(self, output: Output, batch: Batch) -> Tensor:
        """The share of the labels of an example that are given or left out wrongly, summed over the examples."""
        given = torch.sigmoid(output.logits) >= self.threshold
        return (given != (batch.labels > 0.5)).float().mean(1).sum()

    def meter(self) -> Meter:
        """Keeps all logits, of which the average precision is made."""
        required("several labels")
        return Metrics(lambda o, b: self.loss(o, b, reduction="sum"), self._metrics, _read, _told)

    def outputs(self, classes: int) -> int:
        """One logit per label."""
        if not classes:
            raise UsageError("The labels have no names, so their number is not known; give the data classes=(…).")
        return classes

    def check(self, output: Output, batch: Batch, *, data: str, classes: int) -> None:
        """See `Task.check`."""
        found = tuple(output.logits.shape)
        if len(found) != 2 or (classes and found[1] != classes):
            asked = f"{classes} labels" if classes else "labels"
            raise UsageError(
                f"The data {data} have {asked}, but the network returns {found[1:]} values per example. Build it with "
                f"num_classes={classes or 'the number of labels'}."
            )
        if self.positive_weights and len(self.positive_weights) != found[1]:
            raise UsageError(
                f"MultiLabel has {len(self.positive_weights)} positive_weights, but the network returns {found[1]} "
                "logits; give one for each label."
            )
        y = one_tensor(batch, data, "MultiLabel", f"targets of shape {found}, 0 or 1")
        if tuple(y.shape) != found:
            raise UsageError(
                f"MultiLabel needs targets of shape {found}, one number per label, but those of {data} are "
                f"{shapes(y)}. Turn lists of labels into rows of 0 and 1."
            )
        finite(y, "The targets", data)
        values = y.float()
        if not (bool((values >= 0).all()) and bool((values <= 1).all())):
            outside = values[(values < 0) | (values > 1)][0].item()
            raise UsageError(f"The targets of {data} have the value {outside:g}; MultiLabel needs 0, 1 or shares.")

    def chance(self, classes: int) -> float | None:
        """ln 2, the loss of probabilities of a half; None where some are weighted."""
        return None if self.positive_weights else math.log(2)

    def _weights(self, logits: Tensor) -> Tensor | None:
        return logits.new_tensor(self.positive_weights) if self.positive_weights else None

    def _metrics(self, output: Output) -> Figures:
        from torchmetrics.classification import MultilabelAveragePrecision, MultilabelF1Score, MultilabelStatScores

        K: Any = output.logits.shape[1]
        return {
            _MAP.name: MultilabelAveragePrecision(K, average="none", validate_args=False),
            _F1.name: MultilabelF1Score(K, average="none", threshold=self.threshold, validate_args=False),
            "counts": MultilabelStatScores(K, average="none", validate_args=False),
        }


def _read(output: Output, batch: Batch) -> tuple[Tensor, Tensor]:
    return torch.sigmoid(output.logits), (batch.labels > 0.5).long()


def _told(metrics: Figures) -> dict[str, float]:
    present = metrics["counts"].compute()[:, 4] > 0  # the last column is their support
    return {name: float(metrics[name].compute()[present].mean()) for name in (_MAP.name, _F1.name)}
