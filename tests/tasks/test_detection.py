"""Boxes: matching and loss beside plain loops, average precision by hand, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn.batch import Batch
from supernet.nn.output import Output
from supernet.tasks import Detection

SIZE, K = 16, 2
BOXES = torch.tensor(
    [
        [[1.0, 1.0, 6.0, 7.0], [2.0, 2.0, 14.0, 15.0], [0.0, 0.0, 0.0, 0.0]],  # the small one lies in the large one
        [[8.0, 3.0, 13.0, 9.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]],
        [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]],
    ]
)
LABELS = torch.tensor([[0, 1, -1], [1, -1, -1], [-1, -1, -1]])
BATCH = Batch(torch.zeros(3, 1, SIZE, SIZE), {"boxes": BOXES, "labels": LABELS})


def output(seed: int = 0) -> Output:
    rng = torch.Generator().manual_seed(seed)
    return Output(
        torch.randn(3, K + 5, 4, 4, generator=rng), heads={"coarse": torch.randn(3, K + 5, 2, 2, generator=rng)}
    )


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def cross_entropy(logit: float, share: float) -> float:
    return -share * math.log(sigmoid(logit)) - (1 - share) * math.log(1 - sigmoid(logit))


def generalised_iou(a: list[float], b: list[float]) -> float:
    def area(box: list[float]) -> float:
        return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])

    both = area([max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])])
    union = area(a) + area(b) - both
    hull = area([min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])])
    return both / union - (hull - union) / hull


def by_hand(said: Output, reach: float, radius: float, alpha: float, gamma: float) -> tuple[list[float], list[int]]:
    """The loss of each image, and the number of its locations with an object."""
    losses, counts = [], []
    for image in range(3):
        focal, beside, count = 0.0, 0.0, 0
        for number, level in enumerate((said.logits, said.heads["coarse"])):
            side = level.shape[2]
            stride = SIZE / side
            for i in range(side):
                for j in range(side):
                    x, y = (j + 0.5) * stride, (i + 0.5) * stride
                    chosen, least = None, math.inf
                    for box, label in zip(BOXES[image].tolist(), LABELS[image].tolist(), strict=True):
                        left, top, right, bottom = x - box[0], y - box[1], box[2] - x, box[3] - y
                        far = max(left, top, right, bottom)
                        near = max(abs(x - (box[0] + box[2]) / 2), abs(y - (box[1] + box[3]) / 2)) < radius * stride
                        low = 0 if number == 0 else reach / 2 * stride
                        high = math.inf if number == 1 else reach * stride
                        area = (box[2] - box[0]) * (box[3] - box[1])
                        inside = min(left, top, right, bottom) > 0
                        if label >= 0 and near and inside and low < far <= high and area < least:
                            chosen, least = (box, label, (left, top, right, bottom)), area
                    values = level[image, :, i, j].tolist()
                    for k in range(K):
                        share = 1.0 if chosen is not None and chosen[1] == k else 0.0
                        p = sigmoid(values[k])
                        right_p = p if share else 1 - p
                        weight = alpha if share else 1 - alpha
                        focal += weight * (1 - right_p) ** gamma * cross_entropy(values[k], share)
                    if chosen is not None:
                        count += 1
                        box, _, (left, top, right, bottom) = chosen
                        a, b, c, d = (math.exp(v) * stride for v in values[K : K + 4])
                        beside += 1 - generalised_iou([x - a, y - b, x + c, y + d], box)
                        centre = math.sqrt(min(left, right) / max(left, right) * min(top, bottom) / max(top, bottom))
                        beside += cross_entropy(values[-1], centre)
        losses.append((focal + beside) / max(1, count))
        counts.append(count)
    return losses, counts


@pytest.mark.parametrize("reach", [1.5, 8.0])
def test_the_loss_is_that_of_plain_loops(reach: float) -> None:
    said = output()
    losses, counts = by_hand(said, reach, 1.2, 0.3, 1.5)
    assert counts[0] > 2, "both levels and both objects are trained"
    assert counts[2] == 0, "an image without objects"
    task = Detection(reach=reach, centre_radius=1.2, alpha=0.3, gamma=1.5)
    assert float(task.loss(said, BATCH, reduction="sum")) == pytest.approx(sum(losses), rel=1e-4)


def answer(boxes: list[tuple[list[float], int, float]]) -> Output:
    """A level of 4x4 that says these boxes with these labels and scores, each at the location nearest to its centre."""
    level = torch.full((1, K + 5, 4, 4), -20.0)
    for box, label, score in boxes:
        j, i = int((box[0] + box[2]) / 2 / 4), int((box[1] + box[3]) / 2 / 4)
        x, y = (j + 0.5) * 4, (i + 0.5) * 4
        level[0, label, i, j] = math.log(score**2 / (1 - score**2))
        sides = torch.tensor([x - box[0], y - box[1], box[2] - x, box[3] - y])
        level[0, K : K + 4, i, j] = (sides / 4).log()
        level[0, -1, i, j] = 20.0
    return Output(level)


def test_it_finds_what_the_levels_say_and_suppresses_the_less_sure_of_one_class() -> None:
    told = answer(
        [([1, 1, 6.8, 7], 0, 0.9), ([1, 1, 8, 7], 0, 0.8), ([9, 9, 15, 15], 1, 0.7), ([8, 1, 14, 6], 1, 0.02)]
    )
    (found,) = Detection().found(told, (SIZE, SIZE))
    assert found.labels.tolist() == [0, 1], "IoU of the first two is 0.83"
    assert torch.allclose(found.scores, torch.tensor([0.9, 0.7]), atol=1e-3)
    assert torch.allclose(found.boxes, torch.tensor([[1.0, 1, 6.8, 7], [9, 9, 15, 15]]), atol=1e-3)
    (found,) = Detection(overlap=0.85, detections=2).found(told, (SIZE, SIZE))
    assert found.labels.tolist() == [0, 0]
    (found,) = Detection().found(answer([([1, 1, 6.8, 7], 0, 0.9), ([1, 1, 8, 7], 1, 0.8)]), (SIZE, SIZE))
    assert found.labels.tolist() == [0, 1], "classes do not suppress each other"


def test_average_precision_by_hand() -> None:
    """One box is right, the other has an IoU of 0.64: right at 0.5, 0.55 and 0.6 of the ten thresholds."""
    asked = {"boxes": torch.tensor([[[1.0, 1, 7, 7], [6, 8, 16, 16]]]), "labels": torch.tensor([[1, 1]])}
    batch = Batch(torch.zeros(1, 1, SIZE, SIZE), asked)
    meter = Detection().meter()
    meter.add(answer([([1, 1, 7, 7], 1, 0.9), ([6, 8, 14, 14.4], 1, 0.8)]), batch)
    told = meter.values()
    assert told["map_50"] == pytest.approx(1.0)
    assert told["map"] == pytest.approx((3 + 7 * 51 / 101) / 10, abs=1e-4), "recall goes to a half in 51 of 101 places"
    meter = Detection().meter()
    meter.add(answer([([1, 1, 7, 7], 1, 0.6), ([6, 8, 16, 16], 0, 0.8)]), batch)
    assert meter.values()["map"] == pytest.approx(51 / 101, abs=1e-4), "the wrong class finds nothing"


def test_without_objects_there_is_no_precision() -> None:
    nothing = {"boxes": torch.zeros(1, 2, 4), "labels": torch.full((1, 2), -1)}
    batch = Batch(torch.zeros(1, 1, SIZE, SIZE), nothing)
    meter = Detection().meter()
    meter.add(answer([]), batch)
    assert math.isnan(meter.values()["map"])
    none = Batch(batch.x, {"boxes": torch.zeros(1, 0, 4), "labels": torch.zeros(1, 0, dtype=torch.int64)})
    assert torch.equal(Detection().loss(answer([]), none), Detection().loss(answer([]), batch))


def changed(**fields: Tensor) -> Batch:
    return Batch(BATCH.x, {"boxes": BOXES, "labels": LABELS, **fields})


SAID = output()
REFUSED: list[tuple[Any, Any, int, str]] = [
    (Output(torch.zeros(3, K)), BATCH, K, r"returns \(2,\) at level 0"),
    (SAID, BATCH, 4, r"returns \(7, 4, 4\) at level 0, but Detection needs \(4 \+ 5, h, w\)"),
    (Output(SAID.logits, heads={"coarse": torch.zeros(3, 6, 2, 2)}), BATCH, K, "at level 1"),
    (SAID, Batch(BATCH.x, LABELS), K, "'boxes' float32 .* but those of mine are int64"),
    (SAID, changed(labels=LABELS[:, :2]), K, r"labels int64 \(3, 2\)"),
    (SAID, changed(labels=LABELS + 2), K, "'labels' of mine hold 3, but labels of objects go from 0 to 1"),
    (SAID, changed(labels=LABELS - 1), K, "'labels' of mine hold -2"),
    (SAID, changed(boxes=BOXES * math.nan), K, "'boxes' of mine hold 12 values that are NaN"),
    (SAID, changed(boxes=BOXES.flip(-1)), K, r"hold \[7.0, 6.0, 1.0, 1.0\], which is empty"),
    (SAID, changed(boxes=BOXES / SIZE), K, "look like shares of the image"),
]


@pytest.mark.parametrize(("said", "batch", "classes", "sentence"), REFUSED, ids=[row[3][:30] for row in REFUSED])
def test_what_does_not_fit_is_named(said: Output, batch: Batch, classes: int, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Detection().check(said, batch, data="mine", classes=classes)


def test_options_out_of_range_are_refused() -> None:
    for wrong in ({"reach": 0.0}, {"alpha": 1.0}, {"gamma": -1.0}, {"detections": 200}, {"score_threshold": 1.0}):
        with pytest.raises(UsageError, match="Detection"):
            Detection(**wrong)  # type: ignore[arg-type]
