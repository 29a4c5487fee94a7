"""Recurrent cells are searched on a text by what exists: they learn, resume bit for bit, and end with a cell."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch

from supernet import Supernet, fit, measure, methods, zoo
from supernet.data import Data, causal_text
from supernet.methods.cells import darts as by_darts
from supernet.methods.cells import enas as by_enas
from supernet.train import Recipe, Trained, sgd
from supernet.train.laws import Trial, learns, resumes_bitwise

pytest.importorskip("tokenizers")

VERSE = "In the beginning was the Word, and the Word was with God, and the Word was God. "
ENAS = {**by_enas.PENN_TREEBANK, "updates": 2, "samples": 3, "derived": 3}
RECIPES: dict[str, Callable[[], Recipe]] = {
    "darts": lambda: methods.darts(**by_darts.PENN_TREEBANK),
    "darts, second order": lambda: methods.darts(**by_darts.PENN_TREEBANK, order=2, clip_ahead=0.25),
    "enas": lambda: methods.enas(**ENAS).with_weights(lr=2.0),
    "spos": lambda: methods.spos(weights=sgd(20.0, momentum=0.0, clip_norm=0.25)),
}


@cache
def text() -> Data:
    return causal_text(VERSE * 60, length=5, vocabulary=265, validation=0.3)


def net_for(recipe: str) -> Supernet:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"width": 12, "nodes": 3, "num_classes": text().outputs, "input_shape": text().shape}
    if recipe == "enas":
        return zoo.enas_rnn(variant="tiny", **sizes)
    return zoo.darts_rnn(variant="tiny", none=recipe.startswith("darts"), **sizes)


def better_than_chance(trained: Trained) -> float:
    """How many times smaller the perplexity is than that of equal probabilities."""
    arch = trained.derived or trained.net.space.largest()
    return text().outputs / measure.scores(trained.net, arch, text()).value


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_they_learn_and_resume(name: str) -> None:
    trial = Trial(
        recipe=RECIPES[name](), net=net_for(name), data=text(), steps=60, measure=better_than_chance, least=4.0
    )
    learns(trial)
    resumes_bitwise(trial)


@pytest.mark.parametrize("name", ["darts", "enas"])
def test_a_search_ends_with_a_cell(name: str) -> None:
    net = net_for(name)
    trained = fit(net, RECIPES[name](), text(), steps=6, batch_size=16, accelerator="cpu", progress=False)
    arch = trained.derived
    assert arch is not None
    if name == "darts":
        assert "none" not in zoo.darts_rnn_genotype(arch)
        last = trained.history[-1]
        assert last["term/slowness"] > 0
    else:
        assert len(zoo.enas_rnn_sequence(arch).split()) == 5
        assert trained.memory["baseline of controller"] != 0
    score = measure.scores(net, arch, text())
    assert score.score.name == "perplexity"
    assert 1 < score.value < 10 * text().outputs
