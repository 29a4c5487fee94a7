"""Numbers for each example: loss and scores beside their formulas, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn.batch import Batch
from supernet.nn.output import Output
from supernet.tasks import Regression

RNG = torch.Generator().manual_seed(0)
SAID, ASKED = torch.randn(10, 2, generator=RNG), 3 * torch.randn(10, 2, generator=RNG)


def batch(y: Any = ASKED) -> Batch:
    return Batch(torch.zeros(10, 1), y)


@pytest.mark.parametrize("distance", ["mse", "l1", "huber"])
def test_the_loss_is_the_distance(distance: Any) -> None:
    delta, losses = 0.7, []
    for e in (SAID - ASKED).abs().flatten().tolist():
        if distance == "mse":
            losses.append(e * e)
        elif distance == "l1":
            losses.append(e)
        else:
            losses.append(e * e / 2 if e <= delta else delta * (e - delta / 2))
    task = Regression(distance=distance, delta=delta, values=2)
    assert float(task.loss(Output(SAID), batch())) == pytest.approx(sum(losses) / 20, rel=1e-5)
    assert torch.equal(task.distillation(Output(SAID), Output(ASKED), batch()), task.loss(Output(SAID), batch()))


def test_scores_are_the_formulas_also_far_from_zero() -> None:
    task, shift = Regression(values=2, unit="m"), 1e4
    meter = task.meter()
    said, asked = SAID + shift, ASKED + shift
    for cut in (slice(0, 3), slice(3, 10)):
        meter.add(Output(said[cut]), batch(asked).part(cut))
    told, a, b = meter.values(), said.double().numpy(), asked.double().numpy()
    assert told["rmse"] == pytest.approx(np.sqrt(((a - b) ** 2).mean()), rel=1e-6)
    assert told["mae"] == pytest.approx(np.abs(a - b).mean(), rel=1e-6)
    r2 = 1 - ((a - b) ** 2).sum(0) / ((b - b.mean(0)) ** 2).sum(0)
    assert told["r2"] == pytest.approx(r2.mean(), rel=1e-6)
    assert [(s.name, s.unit, s.goal) for s in task.scores[:3]] == [
        ("rmse", "m", "min"),
        ("mae", "m", "min"),
        ("r2", "", "max"),
    ]
    assert Regression(rank_by="r2").scores[0].name == "r2"


def test_one_value_may_have_a_dimension_of_its_own_or_none() -> None:
    task, y = Regression(), ASKED[:, 0]
    expected = float(((SAID[:, 0] - y) ** 2).mean())
    for logits in (SAID[:, :1], SAID[:, 0]):
        for targets in (y, y[:, None], y.double()):
            task.check(Output(logits), batch(targets), data="mine", classes=0)
            assert float(task.loss(Output(logits), batch(targets))) == pytest.approx(expected)
            meter = task.meter()
            meter.add(Output(logits), batch(targets))
            assert meter.values()["rmse"] == pytest.approx(math.sqrt(expected))


def test_of_one_example_there_is_no_spread() -> None:
    meter = Regression().meter()
    meter.add(Output(SAID[:1, :1]), Batch(torch.zeros(1, 1), ASKED[:1, :1]))
    told = meter.values()
    assert math.isnan(told["r2"])
    assert told["mae"] > 0


REFUSED: list[tuple[Any, Any, str]] = [
    (SAID[:, :1], ASKED, r"asks for 2 values per example, but the network returns \(1,\)"),
    (SAID, ASKED[:, 0], r"of shape \(10, 2\), but the targets of mine are float32 \(10,\)"),
    (SAID, ASKED.masked_fill(ASKED > 0, math.inf), "The targets of mine hold .* NaN or infinite, of 20"),
    (SAID, {"a": ASKED, "b": ASKED}, "targets of mine are a float32"),
]


@pytest.mark.parametrize(("logits", "y", "sentence"), REFUSED, ids=[row[2][:30] for row in REFUSED])
def test_what_does_not_fit_is_named(logits: Tensor, y: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Regression(values=2).check(Output(logits), batch(y), data="mine", classes=0)


def test_shapes_are_never_stretched_over_each_other() -> None:
    with pytest.raises(UsageError, match=r"\(10, 1\) for targets of \(10, 2\)"):
        Regression().loss(Output(SAID[:, :1]), batch())


def test_options_out_of_range_are_refused() -> None:
    for wrong in ({"distance": "mae"}, {"delta": 0.0}, {"values": 0}, {"rank_by": "loss"}):
        with pytest.raises(UsageError, match="Regression"):
            Regression(**wrong)  # type: ignore[arg-type]
