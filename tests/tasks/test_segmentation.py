"""One class for each pixel: loss and scores beside plain counting, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn.batch import Batch
from supernet.nn.output import Output
from supernet.tasks import Segmentation

K = 4


def example(seed: int = 0, *, size: int = 6) -> tuple[Tensor, Tensor]:
    """Logits (3, 4, size, size) and masks with ignored pixels; nothing counts in the last image."""
    rng = torch.Generator().manual_seed(seed)
    masks = torch.randint(0, K - 1, (3, size, size), generator=rng)
    masks[0, 0], masks[2] = 255, 255
    return torch.randn(3, K, size, size, generator=rng), masks


def batch(masks: Any) -> Batch:
    return Batch(torch.zeros(len(masks), 1, 6, 6), masks)


def test_the_loss_is_a_mean_over_the_pixels_of_an_image_that_count() -> None:
    logits, masks = example()
    images = []
    for image, mask in zip(logits.tolist(), masks.tolist(), strict=True):
        found = []
        for i in range(6):
            for j in range(6):
                if mask[i][j] != 255:
                    values = [image[k][i][j] for k in range(K)]
                    found.append(math.log(sum(map(math.exp, values))) - values[mask[i][j]])
        images.append(sum(found) / len(found) if found else 0.0)
    assert float(Segmentation().loss(Output(logits), batch(masks))) == pytest.approx(sum(images) / 3, rel=1e-5)


def test_without_ignored_pixels_it_is_the_cross_entropy_of_torch() -> None:
    logits, masks = example()
    masks, weights = masks.clamp(max=K - 1), (0.5, 2.0, 1.0, 0.0)
    found = Segmentation(class_weights=weights).loss(Output(logits[:2]), batch(masks[:2]), reduction="sum")
    each = [F.cross_entropy(logits[[i]], masks[[i]], weight=torch.tensor(weights)) for i in range(2)]
    assert torch.isclose(found, torch.stack(each).sum())
    smoothed = Segmentation().loss(Output(logits), batch(masks), label_smoothing=0.1)
    assert torch.isclose(smoothed, F.cross_entropy(logits, masks, label_smoothing=0.1))


def test_a_pixel_has_the_weight_of_its_class_also_under_smoothing() -> None:
    logits, masks = example()
    weights, shares, total = (0.5, 2.0, 1.0, 3.0), 0.0, 0.0
    for i, j in [(i, j) for i in range(6) for j in range(6)]:
        p, label = logits[1, :, i, j].softmax(0), int(masks[1, i, j])
        spread = [0.1 / K + (0.9 if k == label else 0.0) for k in range(K)]
        total -= weights[label] * sum(s * math.log(float(q)) for s, q in zip(spread, p, strict=True))
        shares += weights[label]
    task = Segmentation(class_weights=weights)
    found = task.loss(Output(logits[1:2]), batch(masks[1:2]), label_smoothing=0.1)
    assert float(found) == pytest.approx(total / shares, rel=1e-5)


def test_distillation_weighs_pixels_as_the_loss_does() -> None:
    """A teacher that is as sure as a label teaches what the label does."""
    logits, masks = example()
    sure = 50.0 * F.one_hot(masks.clamp(max=K - 1), K).permute(0, 3, 1, 2).float()
    for task in (Segmentation(), Segmentation(class_weights=(0.5, 2.0, 1.0, 3.0))):
        found = task.distillation(Output(logits), Output(sure), batch(masks))
        assert torch.isclose(found, task.loss(Output(logits), batch(masks)), rtol=1e-5)


def test_smaller_logits_are_resized_and_auxiliary_heads_have_their_weight() -> None:
    _, masks = example()
    rng = torch.Generator().manual_seed(1)
    small, aux = torch.randn(3, K, 3, 3, generator=rng), torch.randn(3, K, 2, 2, generator=rng)
    task = Segmentation(auxiliary=0.25)
    large = [F.interpolate(t, size=(6, 6), mode="bilinear", align_corners=False) for t in (small, aux)]
    apart = [float(task.loss(Output(logits), batch(masks))) for logits in large]
    assert float(task.loss(Output(small, (aux,)), batch(masks))) == pytest.approx(apart[0] + 0.25 * apart[1])
    assert float(Segmentation(auxiliary=0).loss(Output(small, (aux,)), batch(masks))) == pytest.approx(apart[0])
    task.check(Output(small, (aux,)), batch(masks), data="mine", classes=K)
    meter = task.meter()
    meter.add(Output(small, (aux,)), batch(masks))
    assert meter.values()["loss"] == pytest.approx(apart[0]), "scores are those of the logits"


def test_scores_are_those_of_counting_pixels() -> None:
    logits, masks = example()
    meter = Segmentation().meter()
    for cut in (slice(0, 2), slice(2, 3)):
        meter.add(Output(logits[cut]), batch(masks[cut]))
    said, counts = logits.argmax(1), masks != 255
    shares = []
    for k in range(K):
        both = ((said == k) & (masks == k) & counts).sum()
        either = (((said == k) | (masks == k)) & counts).sum()
        if either:
            shares.append(float(both / either))
    told = meter.values()
    assert told["miou"] == pytest.approx(sum(shares) / len(shares))
    assert told["pixel_accuracy"] == pytest.approx(float((said == masks)[counts].float().mean()))


def test_a_class_that_is_nowhere_does_not_count() -> None:
    masks = torch.randint(0, 2, (2, 6, 6), generator=torch.Generator().manual_seed(0))
    meter = Segmentation().meter()
    meter.add(Output(10.0 * F.one_hot(masks, K).permute(0, 3, 1, 2).float()), batch(masks))
    assert meter.values()["miou"] == 1.0


def test_errors_are_the_share_of_wrong_pixels() -> None:
    logits, masks = example()
    said = logits.argmax(1)
    each = [float((said[i] != masks[i])[masks[i] != 255].float().mean()) for i in range(2)]
    assert float(Segmentation().errors(Output(logits), batch(masks))) == pytest.approx(sum(each))


LOGITS, MASKS = example()

REFUSED: list[tuple[Any, Any, int, str]] = [
    (torch.zeros(3, K), MASKS, K, r"4 classes of pixels, but the network returns \(4,\) per image"),
    (LOGITS, MASKS, 7, r"7 classes of pixels, but the network returns \(4, 6, 6\)"),
    (torch.zeros(3, K, 4, 6), MASKS, K, "logits of 4x6 pixels for masks of 6x6 in mine"),
    (torch.zeros(3, K, 12, 12), MASKS, K, "logits of 12x12 pixels for masks of 6x6"),
    (LOGITS, MASKS.float(), K, r"targets of mine are float32 \(3, 6, 6\)"),
    (LOGITS, MASKS[:, None], K, r"int64 \(3, 1, 6, 6\)"),
    (LOGITS, {"mask": MASKS, "depth": MASKS}, K, "targets of mine are mask int64"),
    (LOGITS, MASKS.masked_fill(MASKS == 1, 9), K, "have the label 9, but labels go from 0 to 3"),
    (LOGITS, MASKS.masked_fill(MASKS == 1, -1), K, "have the label -1"),
]


@pytest.mark.parametrize(("logits", "masks", "classes", "sentence"), REFUSED, ids=[row[3][:30] for row in REFUSED])
def test_what_does_not_fit_is_named(logits: Tensor, masks: Any, classes: int, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Segmentation().check(Output(logits), Batch(torch.zeros(3, 1, 6, 6), masks), data="mine", classes=classes)


def test_the_number_of_weights_is_that_of_the_classes() -> None:
    with pytest.raises(UsageError, match="2 class_weights, but the network returns 4"):
        Segmentation(class_weights=(1.0, 2.0)).check(Output(LOGITS), batch(MASKS), data="mine", classes=K)
    for wrong in ({"auxiliary": -1.0}, {"class_weights": (0.0, 0.0)}, {"class_weights": (math.nan,)}):
        with pytest.raises(UsageError, match="Segmentation"):
            Segmentation(**wrong)  # type: ignore[arg-type]


def test_chance_is_the_loss_of_equal_logits() -> None:
    task, masks = Segmentation(), MASKS.clamp(max=K - 1)
    assert float(task.loss(Output(torch.zeros_like(LOGITS)), batch(masks))) == pytest.approx(task.chance(K))
    assert Segmentation(class_weights=(1.0, 2.0)).chance(2) is None
