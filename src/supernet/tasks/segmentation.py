"""One class for each pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn.batch import Batch, shapes
from supernet.nn.output import Output
from supernet.quantity import LOSS, Quantity
from supernet.tasks._metrics import Figures, Metrics, one_tensor, reduced, required
from supernet.tasks._protocol import Meter, Network, Reduction
from supernet.tasks._samples import Sample

_MIOU = Quantity("miou", goal="max", share=True)
_PIXELS = Quantity("pixel_accuracy", goal="max", share=True)


@dataclass(frozen=True)
class Segmentation:
    """One class for each pixel: cross-entropy; mean intersection over union and pixel accuracy.

    Networks return logits ``(B, K, H, W)``, or ``(B, K, H / s, W / s)``, which are resized bilinearly to the masks.
    Targets are masks ``(B, H, W)`` of class indices, int64.

    An image's loss is the mean over its pixels that count, and all images count alike; so the loss of a batch does
    not depend on how it is cut. Scores: ``miou``, the mean over the classes of intersection over union, of the pixels
    of all images together, without classes that neither masks nor network show; ``pixel_accuracy``; and the loss of
    the logits without auxiliary heads. They come from torchmetrics (extra ``tasks``).

    Args:
        ignore_index: Label of pixels that do not count.
        auxiliary: Factor on the loss of each auxiliary head (``Output.aux``); 0 leaves them alone, as where the recipe
            has the objective ``Auxiliary``.
        class_weights: Factors on the loss of the pixels of each class, for classes that are rare; empty: none.

    Raises:
        UsageError: A value is out of range.
    """

    ignore_index: int = 255
    auxiliary: float = 0.4
    class_weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.auxiliary < math.inf:
            raise UsageError(f"Segmentation(auxiliary={self.auxiliary}): give a factor of 0 or more.")
        if any(not 0 <= weight < math.inf for weight in self.class_weights) or not any(self.class_weights or (1,)):
            raise UsageError(
                f"Segmentation(class_weights={self.class_weights}): give factors of 0 or more, not all of them 0."
            )

    @property
    def scores(self) -> tuple[Quantity, ...]:
        """Mean intersection over union, pixel accuracy and loss."""
        return _MIOU, _PIXELS, LOSS

    def loss(
        self, output: Output, batch: Batch, *, label_smoothing: float = 0.0, reduction: Reduction = "mean"
    ) -> Tensor:
        """Cross-entropy in nats of the logits, and `auxiliary` times that of each auxiliary head."""
        losses = self._cross_entropy(output.logits, batch.labels, label_smoothing)
        if self.auxiliary:
            for head in output.aux:
                losses = losses + self.auxiliary * self._cross_entropy(head, batch.labels, label_smoothing)
        return reduced(losses, reduction)

    def distillation(self, output: Output, teacher: Output, batch: Batch, *, temperature: float = 1.0) -> Tensor:
        """T² · H(softmax(teacher / T), softmax(logits / T)), over the pixels that count, weighed as in the loss."""
        masks = batch.labels
        logits, taught = (_resized(one.logits, masks.shape[1:]) / temperature for one in (output, teacher))
        losses = F.cross_entropy(logits, F.softmax(taught, dim=1), reduction="none")
        return self._over_pixels(losses, masks).mean() * temperature**2

    def errors(self, output: Output, batch: Batch) -> Tensor:
        """The share of an image's pixels that count whose class did not get the largest logit, summed."""
        masks = batch.labels
        counts = masks != self.ignore_index
        wrong = (_resized(output.logits, masks.shape[1:]).argmax(1) != masks) & counts
        return (wrong.sum((1, 2)) / counts.sum((1, 2)).clamp(min=1)).sum()

    def meter(self) -> Meter:
        """Counts pixels by class and prediction."""
        required("a segmentation")
        return Metrics(self._of_logits, self._metrics, self._read)

    def show(self, output: Output, batch: Batch, network: Network) -> list[Sample]:
        """The image, its mask, and the mask of the largest logits."""
        found, asked = self._read(output, batch)
        return [
            Sample(image=image, masks={"truth": mask, "network": told}, ignored=self.ignore_index)
            for image, mask, told in zip(batch.images, asked, found, strict=True)
        ]

    def outputs(self, classes: int) -> int:
        """One logit per class."""
        if not classes:
            raise UsageError("The classes of the pixels have no names, so their number is not known; give classes=(…).")
        return classes

    def check(self, output: Output, batch: Batch, *, data: str, classes: int) -> None:
        """See `Task.check`."""
        found = tuple(output.logits.shape)
        if len(found) != 4 or found[1] < classes:
            raise UsageError(
                f"The data {data} have {classes or 'some'} classes of pixels, but the network returns {found[1:]} per "
                f"image; Segmentation needs logits (K, H, W). Build it with num_classes={classes or 'K'}, without "
                "pooling before its head."
            )
        K = found[1]
        if self.class_weights and len(self.class_weights) != K:
            raise UsageError(
                f"Segmentation has {len(self.class_weights)} class_weights, but the network returns {K} logits per "
                "pixel; give one for each class."
            )
        y = one_tensor(batch, data, "Segmentation", "masks (B, H, W)")
        if y.dtype != torch.int64 or y.ndim != 3 or len(y) != batch.size:
            raise UsageError(
                f"Segmentation needs masks of class indices, int64 of shape ({batch.size}, H, W), but the targets of "
                f"{data} are {shapes(y)}. Turn them into such, as by mask.long() and mask.squeeze(0)."
            )
        for name, logits in (("logits", output.logits), *(("aux", head) for head in output.aux)):
            if not _is_fraction(tuple(logits.shape[2:]), tuple(y.shape[1:])):
                raise UsageError(
                    f"The network returns {name} of {'x'.join(map(str, logits.shape[2:]))} pixels for masks of "
                    f"{'x'.join(map(str, y.shape[1:]))} in {data}; Segmentation needs logits of the size of the masks, "
                    "or of the same fraction of both sides."
                )
        seen = y[y != self.ignore_index]
        if seen.numel() and not (int(seen.min()) >= 0 and int(seen.max()) < K):
            label = int(seen.max()) if int(seen.min()) >= 0 else int(seen.min())
            raise UsageError(
                f"The masks of {data} have the label {label}, but labels go from 0 to {K - 1}, the network returning "
                f"{K} logits per pixel, and {self.ignore_index} is left out. Name the label that does not count: "
                "Segmentation(ignore_index=…)."
            )

    def chance(self, classes: int) -> float | None:
        """ln K; None where classes are weighted or unknown."""
        return None if self.class_weights or not classes else math.log(classes)

    def _of_logits(self, output: Output, batch: Batch) -> Tensor:
        return self._cross_entropy(output.logits, batch.labels, 0.0).sum()

    def _cross_entropy(self, logits: Tensor, masks: Tensor, label_smoothing: float) -> Tensor:
        """(B,), of each image."""
        losses = F.cross_entropy(
            _resized(logits, masks.shape[1:]),
            masks,
            ignore_index=self.ignore_index,
            reduction="none",
            label_smoothing=label_smoothing,
        )
        return self._over_pixels(losses, masks)

    def _over_pixels(self, losses: Tensor, masks: Tensor) -> Tensor:
        """(B, H, W) -> (B,): a mean over the pixels that count, by the weights of their classes; 0 if none does.

        Not by torch, which under label smoothing weighs a pixel by all classes and divides by the weight of its own.
        """
        counts = masks != self.ignore_index
        weights = counts.to(losses.dtype)
        if self.class_weights:
            weights = weights * losses.new_tensor(self.class_weights)[masks.masked_fill(~counts, 0)]
        whole = weights.sum((1, 2))
        return (losses * weights).sum((1, 2)) / torch.where(whole > 0, whole, 1)

    def _metrics(self, output: Output) -> Figures:
        from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

        K, ignored = output.logits.shape[1], self.ignore_index
        return {
            _MIOU.name: MulticlassJaccardIndex(K, ignore_index=ignored, validate_args=False),
            _PIXELS.name: MulticlassAccuracy(K, average="micro", ignore_index=ignored, validate_args=False),
        }

    def _read(self, output: Output, batch: Batch) -> tuple[Tensor, Tensor]:
        masks = batch.labels
        return _resized(output.logits, masks.shape[1:]).argmax(1), masks


def _resized(logits: Tensor, size: torch.Size) -> Tensor:
    if logits.shape[2:] == size:
        return logits
    return F.interpolate(logits, size=tuple(size), mode="bilinear", align_corners=False)


def _is_fraction(small: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Whether both sides were divided by the same number, rounded down or up."""
    stride = max(1, round(whole[0] / max(small[0], 1)))
    return all(a in (b // stride, -(-b // stride)) for a, b in zip(small, whole, strict=True))
