"""Searching predictions: what is measured, what is said, and that it goes on where it was killed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supernet.errors import UsageError
from supernet.measure import Neighbours, Prediction, Ridge, held_out
from supernet.rank import kendall_tau
from supernet.search import NSGA2, Begun, Evolution, Front, WithPredictor, run
from supernet.search.laws import LearningLaws, SearcherLaws, Toy, stages
from supernet.search.predicting import told as sentences_of
from supernet.space import Codes, Space

BOTH = ("accuracy", "macs")
SMALL = WithPredictor(
    searcher=Evolution(population=10, parents=5), predictor=Ridge(), measured=12, queries=300, picks=6
)


class TestWithPredictor(SearcherLaws):
    searcher = replace(SMALL, predictor=Neighbours())


class TestWithPredictorLearns(LearningLaws):
    searcher = replace(SMALL, measured=40, picks=40)


class TestWithPredictorOfAFront(SearcherLaws):
    searcher = replace(SMALL, searcher=NSGA2(population=10), predictor=Neighbours())
    objectives = ("accuracy", "macs")


def searched(searcher: WithPredictor = SMALL, **request: Any) -> tuple[Toy, Front]:
    toy = Toy(stages(3))
    return toy, run(searcher, toy, **({"objectives": "accuracy", "budget": 24} | request))


def test_every_value_is_measured_and_predictions_stand_beside(tmp_path: Path) -> None:
    toy, front = searched(objectives=BOTH, searcher=replace(SMALL, searcher=NSGA2(population=10)), out=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "search.jsonl").read_text().splitlines()]
    codes = toy.space.codes([evaluation.arch for evaluation in front.archive])
    assert [row["values"]["accuracy"] for row in rows] == toy.accuracy(codes).tolist()
    assert ["predicted" in row for row in rows] == [False] * 12 + [True] * 12
    assert [row["generation"] for row in rows] == [0] * 12 + [1] * 6 + [2] * 6
    assert all(row["predicted"].keys() == {"accuracy"} for row in rows[12:]), "MACs are known, not predicted"
    assert [row["predicted"]["accuracy"] for row in rows[12:]] != [row["values"]["accuracy"] for row in rows[12:]]
    again = Front.read(tmp_path, toy.space)
    assert again.points == front.points
    assert again.predictor == json.loads(json.dumps(front.predictor))
    assert {point.values["accuracy"] for point in front.points} <= set(toy.accuracy(codes).tolist())


def test_the_front_says_how_good_predictions_were() -> None:
    toy, front = searched(budget=40, searcher=replace(SMALL, measured=20, picks=20))
    assert front.predictor is not None
    (one,) = front.predictor["rounds"]
    first = toy.space.codes([evaluation.arch for evaluation in front.archive[:20]])
    assert one["fitted_to"] == 20
    held = held_out(Ridge(), toy.space, first, toy.accuracy(first), seed=0)
    assert one["held_out"]["accuracy"] == held.to_json() | {"params": sum(map(len, toy.space.choices)) + 1}
    picks = front.archive[20:]
    told = [pick.predicted["accuracy"] for pick in picks if pick.predicted is not None]
    known = [pick.values["accuracy"] for pick in picks]
    assert front.predictor["picks"]["accuracy"]["n"] == len(told) == 20
    assert front.predictor["picks"]["accuracy"]["tau"] == pytest.approx(kendall_tau(told, known))
    assert front.predictor["picks"]["accuracy"]["rmse"] == pytest.approx(
        np.sqrt(np.mean((np.asarray(told) - known) ** 2))
    )
    sentences = "; ".join(sentences_of(front.predictor))
    assert f"fitted to 20 architectures measured; held out in five folds: {held}" in sentences
    assert "20 picks predicted and then measured" in sentences
    assert searched(searcher=Evolution(population=10, parents=5))[1].predictor is None


class Exact:
    """Predicts what the toy tells."""

    params = 0

    def __init__(self) -> None:
        self.asked = 0

    def fit(self, space: Space, codes: Codes, values: np.ndarray, *, seed: int = 0) -> Exact:
        self.toy = Toy(space)
        return self

    def predict(self, codes: Codes) -> Prediction:
        self.asked += len(codes)
        told = self.toy.accuracy(codes)
        return Prediction(told, np.zeros(len(codes)))


@dataclass(frozen=True)
class Knowing:
    """`Exact` as a value."""

    def fit(self, space: Space, codes: Codes, values: np.ndarray, *, seed: int = 0) -> Exact:
        return Exact().fit(space, codes, values)


def test_perfect_predictions_find_the_best_with_few_measurements() -> None:
    toy = Toy(stages(3))
    every = toy.space.unindex(range(toy.space.size))
    allowed = every[toy.costs(every, "macs") <= 600]
    best = np.sort(toy.accuracy(allowed))[::-1][:6]
    knowing = WithPredictor(
        searcher=Evolution(population=200), predictor=Knowing(), measured=0, queries=80_000, picks=6
    )
    _, front = searched(knowing, constraints={"macs": 600}, budget=6)
    found = sorted((one.values["accuracy"] for one in front.archive), reverse=True)
    assert np.allclose(found, best), "six measurements, all of them of the best six of 46,656"
    assert front.predictor is not None
    assert 10_000 < front.predictor["rounds"][0]["queries"] <= 80_012


def test_the_budget_of_queries_is_kept() -> None:
    for queries in (1, 7, 500):
        _, front = searched(replace(SMALL, queries=queries))
        assert front.predictor is not None
        assert all(one["queries"] <= queries + 6 for one in front.predictor["rounds"])


def test_what_makes_no_sense_is_refused_before_anything_is_measured() -> None:
    toy = Toy(stages(2))
    with pytest.raises(UsageError, match="cost nothing to know exactly: there is nothing to predict"):
        run(SMALL, toy, objectives="macs", budget=20)
    with pytest.raises(UsageError, match="one objective, but 2 were given"):
        run(SMALL, toy, objectives=BOTH, budget=20)
    with pytest.raises(UsageError, match="Toy is no predictor"):
        replace(SMALL, predictor=Toy(stages(1)))
    with pytest.raises(UsageError, match="WithPredictor cannot search predictions"):
        replace(SMALL, searcher=SMALL)
    with pytest.raises(UsageError, match=r"predictor\.picks is 0"):
        replace(SMALL, picks=0)
    assert not toy.asked


def test_settings_of_both_are_on_record_and_compared(tmp_path: Path) -> None:
    searched(out=tmp_path, budget=13)
    begun = Begun.read(tmp_path)
    assert begun is not None
    assert begun.searcher["predictor"]["encoding"] == "onehot"
    with pytest.raises(UsageError, match="the searcher's picks 6, not 7"):
        searched(replace(SMALL, picks=7), out=tmp_path, budget=13, resume=True)
