"""Several labels for each example: loss and scores beside plain counting, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn.batch import Batch
from supernet.nn.output import Output
from supernet.tasks import MultiLabel

RNG = torch.Generator().manual_seed(0)
LOGITS = torch.randn(12, 4, generator=RNG)
GIVEN = torch.randint(0, 2, (12, 4), generator=RNG)
GIVEN[:, 3] = 0  # a label that no example has


def batch(y: Any = GIVEN) -> Batch:
    return Batch(torch.zeros(len(LOGITS), 1), y)


def by_hand(logits: Tensor, y: Tensor, weights: tuple[float, ...] = (1.0,) * 4) -> float:
    losses = []
    for row, given in zip(logits.tolist(), y.tolist(), strict=True):
        terms = []
        for value, share, weight in zip(row, given, weights, strict=True):
            p = 1 / (1 + math.exp(-value))
            terms.append(-weight * share * math.log(p) - (1 - share) * math.log(1 - p))
        losses.append(sum(terms) / 4)
    return sum(losses) / len(losses)


def test_the_loss_is_binary_cross_entropy() -> None:
    assert float(MultiLabel().loss(Output(LOGITS), batch())) == pytest.approx(by_hand(LOGITS, GIVEN), rel=1e-5)
    assert float(MultiLabel().loss(Output(LOGITS), batch(GIVEN.bool()))) == pytest.approx(by_hand(LOGITS, GIVEN))
    smoothed = MultiLabel().loss(Output(LOGITS), batch(), label_smoothing=0.2)
    assert float(smoothed) == pytest.approx(by_hand(LOGITS, GIVEN * 0.8 + 0.1), rel=1e-5)
    weights = (1.0, 2.0, 0.5, 3.0)
    weighted = MultiLabel(positive_weights=weights).loss(Output(LOGITS), batch())
    assert float(weighted) == pytest.approx(by_hand(LOGITS, GIVEN, weights), rel=1e-5)


def average_precision(scores: list[float], given: list[int]) -> float:
    """The mean, over the examples that have the label, of the precision among those ranked as high or higher."""
    found = []
    for score, has in zip(scores, given, strict=True):
        if has:
            above = [h for s, h in zip(scores, given, strict=True) if s >= score]
            found.append(sum(above) / len(above))
    return sum(found) / len(found)


def test_scores_are_those_of_counting() -> None:
    meter = MultiLabel(threshold=0.4).meter()
    for cut in (slice(0, 5), slice(5, 12)):
        meter.add(Output(LOGITS[cut]), batch().part(cut))
    told = meter.values()
    there = range(3)
    aps = [average_precision(LOGITS[:, k].tolist(), GIVEN[:, k].tolist()) for k in there]
    assert told["map"] == pytest.approx(sum(aps) / 3), "labels that nobody has are left out"
    said, f1 = torch.sigmoid(LOGITS) >= 0.4, []
    for k in there:
        right = int((said[:, k] & (GIVEN[:, k] == 1)).sum())
        f1.append(2 * right / int(said[:, k].sum() + GIVEN[:, k].sum()))
    assert told["f1"] == pytest.approx(sum(f1) / 3)
    wrong = (said != (GIVEN == 1)).float().mean(1).sum()
    assert torch.isclose(MultiLabel(threshold=0.4).errors(Output(LOGITS), batch()), wrong)


def test_what_ranks_comes_first() -> None:
    assert [score.name for score in MultiLabel().scores] == ["map", "f1", "loss"]
    assert [score.name for score in MultiLabel(rank_by="f1").scores] == ["f1", "map", "loss"]


REFUSED: list[tuple[Any, Any, int, str]] = [
    (LOGITS, GIVEN, 5, r"have 5 labels, but the network returns \(4,\)"),
    (LOGITS[..., None], GIVEN, 0, r"returns \(4, 1\) values per example"),
    (LOGITS, GIVEN[:, 0], 4, r"targets of shape \(12, 4\), one number per label, but those of mine are int64 \(12,\)"),
    (LOGITS, GIVEN * 2, 4, "have the value 2; MultiLabel needs 0, 1 or shares"),
    (LOGITS, GIVEN - 1, 4, "have the value -1"),
    (LOGITS, GIVEN.float().masked_fill(GIVEN == 1, math.nan), 4, "values that are NaN or infinite, of 48"),
    (LOGITS, {"a": GIVEN, "b": GIVEN}, 4, "targets of mine are a int64"),
]


@pytest.mark.parametrize(("logits", "y", "classes", "sentence"), REFUSED, ids=[row[3][:30] for row in REFUSED])
def test_what_does_not_fit_is_named(logits: Tensor, y: Any, classes: int, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        MultiLabel().check(Output(logits), batch(y), data="mine", classes=classes)


def test_options_out_of_range_are_refused() -> None:
    for wrong in ({"rank_by": "recall"}, {"threshold": 1.0}, {"positive_weights": (0.0,)}):
        with pytest.raises(UsageError, match="MultiLabel"):
            MultiLabel(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="classes="):
        MultiLabel().outputs(0)
    with pytest.raises(UsageError, match="1 positive_weights, but the network returns 4"):
        MultiLabel(positive_weights=(1.0,)).check(Output(LOGITS), batch(), data="mine", classes=4)
    assert MultiLabel().chance(4) == math.log(2)
