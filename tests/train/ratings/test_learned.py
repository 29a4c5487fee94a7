"""Scores learned from a search, and AttentiveNAS that samples by them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from supernet import search
from supernet.errors import UsageError
from supernet.measure import Ridge
from supernet.methods import attentivenas
from supernet.search.laws import Toy, stages
from supernet.train import Learned, Predicted
from supernet.train.recipe import describe


def test_scores_are_those_of_the_predictor_the_higher_the_better(tmp_path: Path) -> None:
    toy = Toy(stages(2))
    search.random(toy, objectives=("accuracy", "size"), budget=60, out=tmp_path)
    codes, values = search_values(tmp_path, toy)
    archs = toy.space.wrap(toy.space.population(np.random.default_rng(3), 20))
    learned = Learned(archive=str(tmp_path), predictor=Ridge())
    expected = Ridge().fit(toy.space, codes, values).predict(toy.space.codes(archs)).mean
    assert np.array_equal(learned(archs), expected)
    assert list(learned([])) == []
    small = Learned(archive=str(tmp_path), predictor=Ridge(), quantity="size", goal="min")(archs)
    sizes = [toy.evaluate(arch, ("size",))["size"] for arch in archs]
    assert np.corrcoef(small, sizes)[0, 1] < -0.9
    with pytest.raises(UsageError, match="holds no search"):
        Learned(archive=str(tmp_path / "nowhere"))(archs)


def search_values(folder: Path, toy: Toy) -> tuple[np.ndarray, np.ndarray]:
    from supernet.measure import read_observed

    return read_observed(folder, toy.space, "accuracy")


def test_attentivenas_samples_by_them_and_says_so(tmp_path: Path) -> None:
    learned = Learned(archive="runs/first", predictor=Ridge())
    recipe = attentivenas(predictor=learned, candidates=50)
    told = str(recipe.describe())
    assert "learned:Learned" in told
    assert "runs/first" in told
    assert describe(Predicted(learned))["scores"]["predictor"]["piece"] == "measure.predictors.ridge:Ridge"
