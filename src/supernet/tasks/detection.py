"""Boxes around objects, and their classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.errors import UsageError, require
from supernet.nn.batch import Batch, shapes
from supernet.nn.output import Output
from supernet.quantity import LOSS, Quantity
from supernet.tasks._metrics import Metrics, finite, required
from supernet.tasks._protocol import Meter, Network, Reduction
from supernet.tasks._samples import Box, Sample

_MAP = Quantity("map", goal="max", share=True)
_MAP_50 = Quantity("map_50", goal="max", share=True)
_BESIDE = 5  # what a location returns beside its class logits: four distances, and the logit of centreness
_LARGEST = math.log(1e4)  # of the logarithm of a distance in strides: beyond it a box only overflows


class Found(NamedTuple):
    """The objects that a network finds in one image, the surest first.

    Attributes:
        boxes: ``(N, 4)``, left, top, right and bottom in pixels.
        scores: ``(N,)``, 0 … 1.
        labels: Class indices ``(N,)``.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Detection:
    """Boxes around objects, by a dense head without anchors (FCOS); mean average precision.

    FCOS: Fully Convolutional One-Stage Object Detection, [arXiv 1904.01355](https://arxiv.org/abs/1904.01355), with
    losses and suppression of torchvision (extra ``vision``).

    Networks return one tensor ``(B, K + 5, h, w)`` per level, the finest first: a single tensor, a tuple of them, or a
    mapping that begins with ``logits``. A location (i, j) of a level stands at ((j + ½) W / w, (i + ½) H / h) of the
    image. Its K values are class logits; then come the logarithms of the distances to left, top, right and bottom of
    the box, in strides of the level; then the logit of centreness. Begin with a bias of −ln(99) on class logits, so
    that the many locations without an object do not drown the others (RetinaNet's prior of 0.01).

    Targets are a mapping: ``boxes (B, M, 4)``, left, top, right, bottom in pixels, and ``labels (B, M)``, int64,
    where −1 fills up images of fewer than M objects.

    A location is trained for an object if it lies in its box and within `centre_radius` strides of its centre, and if
    the largest distance to a side lies in the range of its level: up to `reach` strides and beyond half of that, the
    first level without lower and the last one without upper bound; of several objects for the smallest. The loss of
    an image is focal loss over all locations and classes, generalised IoU loss of boxes and cross-entropy of centreness
    over the locations with an object, all divided by the number of these, at least 1 (the paper divides by their
    number in the batch; by image, the loss does not depend on how batches are cut).

    Scores: ``map``, the mean average precision of COCO (over classes and IoU 0.5 … 0.95), ``map_50`` at IoU 0.5, and
    the loss. They come from torchmetrics and pycocotools (extra ``tasks``).

    Args:
        centre_radius: Distance from the centre of a box in which locations are trained for it, strides.
        reach: Largest distance to a side that a level is trained for, strides.
        alpha: Weight of objects against background in the focal loss, in (0, 1).
        gamma: Exponent of the focal loss.
        score_threshold: Least score of a box that is told; a score is √(class probability · centreness).
        candidates: Largest number of boxes of an image that are looked at, the surest.
        overlap: IoU from which on the less sure of two boxes of one class is suppressed.
        detections: Largest number of boxes of an image that are told; COCO counts up to 100.

    Raises:
        UsageError: A value is out of range.
    """

    centre_radius: float = 1.5
    reach: float = 8.0
    alpha: float = 0.25
    gamma: float = 2.0
    score_threshold: float = 0.05
    candidates: int = 1000
    overlap: float = 0.6
    detections: int = 100

    def __post_init__(self) -> None:
        for name in ("centre_radius", "reach"):
            if not 0 < getattr(self, name) < math.inf:
                raise UsageError(f"Detection({name}={getattr(self, name)}): give strides above 0.")
        for name in ("alpha", "overlap"):
            if not 0 < getattr(self, name) < 1:
                raise UsageError(f"Detection({name}={getattr(self, name)}): give a share between 0 and 1.")
        if not (self.gamma >= 0 and 0 <= self.score_threshold < 1):
            raise UsageError(
                f"Detection(gamma={self.gamma}, score_threshold={self.score_threshold}): gamma is 0 or more, and the "
                "threshold a share below 1."
            )
        if self.candidates < 1 or not 1 <= self.detections <= 100:
            raise UsageError(
                f"Detection(candidates={self.candidates}, detections={self.detections}): look at one box or more, and "
                "tell 1 to 100."
            )

    @property
    def scores(self) -> tuple[Quantity, ...]:
        """Mean average precision, that at IoU 0.5, and loss."""
        return _MAP, _MAP_50, LOSS

    def loss(
        self, output: Output, batch: Batch, *, label_smoothing: float = 0.0, reduction: Reduction = "mean"
    ) -> Tensor:
        """Focal loss, generalised IoU loss and cross-entropy of centreness; the focal loss takes no smoothing."""
        require("torchvision", "vision", "Detection")
        from torchvision.ops import sigmoid_focal_loss

        said, matched = _said(output, batch), self._matched(output, batch)
        B, _, K = said.classes.shape
        asked = F.one_hot(matched.labels + 1, K + 1)[..., 1:].to(said.classes.dtype)
        focal = sigmoid_focal_loss(said.classes, asked, alpha=self.alpha, gamma=self.gamma, reduction="none")
        here = matched.labels >= 0
        losses = focal.sum((1, 2)) / matched.trained
        beside = _box_loss(said.boxes[here], matched.boxes[here]) + F.binary_cross_entropy_with_logits(
            said.centreness[here], _centreness(matched.distances[here]), reduction="none"
        )
        total: Tensor = losses.sum() + (beside / matched.trained[:, None].expand(here.shape)[here]).sum()
        return total if reduction == "sum" else total / B

    def distillation(self, output: Output, teacher: Output, batch: Batch, *, temperature: float = 1.0) -> Tensor:
        """The loss with the teacher's answers in place of the labels, at the locations that these assign.

        Classes by |σ(logits) − q|^γ H(q, σ(logits)) with the teacher's probabilities q (the quality focal loss,
        [arXiv 2006.04388](https://arxiv.org/abs/2006.04388), equation 6), T² times with both logits divided by T; boxes
        by generalised IoU, centreness by cross-entropy.
        """
        require("torchvision", "vision", "Detection")
        said, taught, matched = _said(output, batch), _said(teacher, batch), self._matched(output, batch)
        quality = torch.sigmoid(taught.classes / temperature)
        own = said.classes / temperature
        focus = (torch.sigmoid(own) - quality).abs() ** self.gamma * temperature**2
        soft = focus * F.binary_cross_entropy_with_logits(own, quality, reduction="none")
        here = matched.labels >= 0
        beside = _box_loss(said.boxes[here], taught.boxes[here]) + F.binary_cross_entropy_with_logits(
            said.centreness[here], torch.sigmoid(taught.centreness[here]), reduction="none"
        )
        total = (soft.sum((1, 2)) / matched.trained).sum()
        return (total + (beside / matched.trained[:, None].expand(here.shape)[here]).sum()) / batch.size

    def errors(self, output: Output, batch: Batch) -> Tensor:
        """None: an image has many answers.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            'Detection has no error between 0 and 1. Rate by the loss (measure="loss"), or train by another method.'
        )

    def meter(self) -> Meter:
        """Keeps all boxes, of which the average precision is made."""
        required("a detection")
        require("pycocotools", "tasks", "Measuring a detection")
        require("torchvision", "vision", "Detection")
        from torchmetrics.detection import MeanAveragePrecision

        metric = MeanAveragePrecision(iou_type="bbox")
        metric.warn_on_many_detections = False
        return Metrics(lambda o, b: self.loss(o, b, reduction="sum"), lambda _: {_MAP.name: metric}, self._read, _told)

    def show(self, output: Output, batch: Batch, network: Network) -> list[Sample]:
        """The image, its boxes, and the boxes that the network finds, the surest first."""
        H, W = batch.images.shape[2:]
        boxes, labels = _targets(batch)
        return [
            Sample(image=image, boxes={"truth": _boxes(b[k >= 0], k[k >= 0]), "network": _boxes(*found)})
            for image, b, k, found in zip(
                batch.images,
                boxes,
                labels,
                ((one.boxes, one.labels, one.scores) for one in self.found(output, (H, W))),
                strict=True,
            )
        ]

    def outputs(self, classes: int) -> int:
        """A logit per class, four distances and centreness of each location."""
        if not classes:
            raise UsageError(
                "The classes of the objects have no names, so their number is not known; give classes=(…)."
            )
        return classes + _BESIDE

    def found(self, output: Output, size: tuple[int, int]) -> list[Found]:
        """What a network finds in each image.

        Args:
            output: What it returned.
            size: Height and width of the images, pixels.
        """
        require("torchvision", "vision", "Detection")
        from torchvision.ops import batched_nms, clip_boxes_to_image

        told = []
        said = _decoded([level.float() for level in _levels(output)], size)
        sure = (torch.sigmoid(said.classes) * torch.sigmoid(said.centreness)[..., None]).sqrt()
        for boxes, scores in zip(said.boxes, sure, strict=True):
            places = (scores.flatten() > self.score_threshold).nonzero()[:, 0]
            best = scores.flatten()[places].topk(min(self.candidates, len(places)))
            places, K = places[best.indices], scores.shape[1]
            clipped = clip_boxes_to_image(boxes[places // K], size)
            kept = batched_nms(clipped, best.values, places % K, self.overlap)[: self.detections]
            told.append(Found(clipped[kept], best.values[kept], (places % K)[kept]))
        return told

    def check(self, output: Output, batch: Batch, *, data: str, classes: int) -> None:
        """See `Task.check`."""
        K = output.logits.shape[1] - _BESIDE if output.logits.ndim == 4 else 0
        for number, level in enumerate(_levels(output)):
            if level.ndim != 4 or K < 1 or level.shape[1] != K + _BESIDE or (classes and classes != K):
                asked = f"{classes} + {_BESIDE}" if classes else f"K + {_BESIDE}"
                raise UsageError(
                    f"The network returns {tuple(level.shape[1:])} at level {number}, but Detection needs "
                    f"({asked}, h, w) for {data}: the logits of the classes, four distances and centreness. Build its "
                    f"heads with num_classes={classes + _BESIDE if classes else 'K + 5'}, as data.outputs says."
                )
        H, W = batch.images.shape[2:]
        boxes, labels = _targets(batch, data)
        real = labels >= 0
        if labels.numel() and not (int(labels.min()) >= -1 and int(labels.max()) < K):
            label = int(labels.max()) if int(labels.min()) >= -1 else int(labels.min())
            raise UsageError(
                f"'labels' of {data} hold {label}, but labels of objects go from 0 to {K - 1}, and -1 fills up images "
                "of fewer objects. A background has no label."
            )
        finite(boxes[real], "'boxes'", data)
        empty = (boxes[..., 2:] <= boxes[..., :2]).any(-1) & real
        if bool(empty.any()):
            raise UsageError(
                f"'boxes' of {data} hold {[round(v, 2) for v in boxes[empty][0].tolist()]}, which is empty; a box is "
                "left, top, right, bottom, with right > left and bottom > top."
            )
        if bool(real.any()) and float(boxes[real].max()) <= 1 < min(H, W) / 4:
            raise UsageError(
                f"'boxes' of {data} lie between 0 and {float(boxes[real].max()):.2g}, in images of {H}x{W}: they look "
                "like shares of the image. Give pixels."
            )

    def chance(self, classes: int) -> float | None:
        """None: it depends on how many objects there are."""
        return None

    def _matched(self, output: Output, batch: Batch) -> _Matched:
        boxes, labels = _targets(batch)
        boxes = boxes.float()
        points, strides, level, last = _places(_levels(output), tuple(batch.images.shape[2:]))
        largest = strides.amax(1)
        sides = torch.cat([points[:, None] - boxes[:, None, :, :2], boxes[:, None, :, 2:] - points[:, None]], -1)
        centres = (boxes[:, None, :, :2] + boxes[:, None, :, 2:]) / 2
        near = ((points[:, None] - centres).abs() < self.centre_radius * strides[:, None]).all(-1)
        farthest = sides.amax(-1)
        upper = torch.where(level == last, math.inf, self.reach * largest)[:, None]
        lower = torch.where(level == 0, 0.0, self.reach / 2 * largest)[:, None]
        fits = near & (sides.amin(-1) > 0) & (farthest > lower) & (farthest <= upper) & (labels[:, None] >= 0)
        areas = ((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]))[:, None]
        if not boxes.shape[1]:
            none = labels.new_full(fits.shape[:2], -1)
            return _Matched(none, boxes.new_zeros(*none.shape, 4), boxes.new_ones(*none.shape, 4), largest.new_ones(1))
        area, index = torch.where(fits, areas, math.inf).min(2)
        there = torch.isfinite(area)
        chosen = index[..., None]
        asked = torch.where(there, labels.gather(1, index), -1)
        return _Matched(
            asked,
            boxes.gather(1, chosen.expand(-1, -1, 4)),
            sides.gather(2, chosen[..., None].expand(-1, -1, -1, 4))[:, :, 0],
            there.sum(1).clamp(min=1),
        )

    def _read(self, output: Output, batch: Batch) -> tuple[list[dict[str, Tensor]], list[dict[str, Tensor]]]:
        H, W = batch.images.shape[2:]
        predicted = [{n: t.cpu() for n, t in found._asdict().items()} for found in self.found(output, (H, W))]
        boxes, labels = (tensor.cpu() for tensor in _targets(batch))
        asked = [{"boxes": b[k >= 0].float(), "labels": k[k >= 0]} for b, k in zip(boxes, labels, strict=True)]
        return predicted, asked


def _boxes(boxes: Tensor, labels: Tensor, scores: Tensor | None = None) -> list[Box]:
    """Boxes (N, 4), class indices (N,) and scores (N,) for people."""
    sure = [None] * len(boxes) if scores is None else scores.tolist()
    return [
        Box(left, top, right, bottom, label, score)
        for (left, top, right, bottom), label, score in zip(boxes.tolist(), labels.tolist(), sure, strict=True)
    ]


class _Said(NamedTuple):
    """What the locations of all levels say: class logits (B, L, K), boxes (B, L, 4), logits of centreness (B, L)."""

    classes: Tensor
    boxes: Tensor
    centreness: Tensor


class _Matched(NamedTuple):
    """What they are asked: labels (B, L), −1 without an object; boxes and distances to their sides (B, L, 4).

    `trained` (B,) is the number of locations with an object, at least 1.
    """

    labels: Tensor
    boxes: Tensor
    distances: Tensor
    trained: Tensor


def _levels(output: Output) -> list[Tensor]:
    return [output.logits, *output.heads.values()]


def _places(levels: list[Tensor], size: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor, int]:
    """x and y (L, 2) of all locations, their strides (L, 2), the number (L,) of their level, and that of the last."""
    points, strides, numbers = [], [], []
    for number, level in enumerate(levels):
        h, w = level.shape[2:]
        like: Any = {"device": level.device, "dtype": torch.float32}
        stride = torch.tensor([size[1] / w, size[0] / h], **like)
        y, x = torch.meshgrid(torch.arange(h, **like), torch.arange(w, **like), indexing="ij")
        points.append((torch.stack([x, y], -1).view(-1, 2) + 0.5) * stride)
        strides.append(stride.expand(h * w, 2))
        numbers.append(torch.full((h * w,), number, device=level.device))
    return torch.cat(points), torch.cat(strides), torch.cat(numbers), len(levels) - 1


def _said(output: Output, batch: Batch) -> _Said:
    H, W = batch.images.shape[2:]
    return _decoded(_levels(output), (H, W))


def _decoded(levels: list[Tensor], size: tuple[int, int]) -> _Said:
    rows = torch.cat([level.flatten(2).transpose(1, 2) for level in levels], 1)
    points, strides, _, _ = _places(levels, size)
    sides = rows[..., -5:-1].clamp(max=_LARGEST).exp() * strides.repeat(1, 2)
    boxes = torch.cat([points - sides[..., :2], points + sides[..., 2:]], -1)
    return _Said(rows[..., :-_BESIDE], boxes, rows[..., -1])


def _box_loss(boxes: Tensor, asked: Tensor) -> Tensor:
    from torchvision.ops import generalized_box_iou_loss

    losses: Tensor = generalized_box_iou_loss(boxes, asked, reduction="none")
    return losses


def _centreness(sides: Tensor) -> Tensor:
    """√(min(l, r) / max(l, r) · min(t, b) / max(t, b)) (FCOS, equation 3)."""
    across, down = sides[:, [0, 2]], sides[:, [1, 3]]
    return (across.amin(1) / across.amax(1) * down.amin(1) / down.amax(1)).sqrt()


def _targets(batch: Batch, data: str = "the data") -> tuple[Tensor, Tensor]:
    """Boxes (B, M, 4) and labels (B, M).

    Raises:
        UsageError: The targets are something else.
    """
    y = batch.y
    if isinstance(y, Mapping) and {"boxes", "labels"} <= set(y):
        boxes, labels = y["boxes"], y["labels"]
        whole = labels.dtype == torch.int64 and labels.ndim == 2 and len(labels) == batch.size
        if whole and boxes.is_floating_point() and tuple(boxes.shape) == (*labels.shape, 4):
            return boxes, labels
    raise UsageError(
        f"Detection needs targets by name, 'boxes' float32 of shape ({batch.size}, M, 4) and 'labels' int64 of shape "
        f"({batch.size}, M), but those of {data} are {shapes(y)}. Fill up images of fewer than M objects with boxes of "
        "zeros and the label -1."
    )


def _told(metrics: Mapping[str, Any]) -> dict[str, float]:
    told = metrics[_MAP.name].compute()
    known = {_MAP.name: float(told["map"]), _MAP_50.name: float(told["map_50"])}
    return {name: value if value >= 0 else math.nan for name, value in known.items()}  # −1: there is no object
