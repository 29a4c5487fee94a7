"""AttentiveNAS: which subnets stand between the largest and the smallest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import torch

from method_trials import on_digits, published, squares, vector
from small_nets import elastic_net, executor, operations_net
from supernet import Supernet
from supernet.methods import attentivenas, sandwich
from supernet.train import Recipe, Step, fit, sgd
from supernet.train.laws import Trial
from supernet.train.move import Move

TRIALS = {"attentivenas": lambda: on_digits(attentivenas().with_weights(per=None), elastic_net())}
ALTERNATIVES = {
    "mode": "worst",
    "candidates": 4,
    "bins": 71,
    "predictor": len,
    "random": 3,
    "label_smoothing": 0.5,
    "regularise": "all",
    "weights": sgd(0.1),
}
SETTINGS = {
    "mode": "best",
    "candidates": 3,
    "bins": 70,
    "predictor": None,
    "random": 2,
    "regularise": "first",
}
SMOOTHING = 0.1


def step_of(net: Supernet, index: int = 50, *, total: int = 100) -> Step:
    run = executor(net, squares())
    return Step(index, total, net, np.random.default_rng([0, index]), runner=run)


def moves(recipe: Recipe, step: Step) -> list[Move]:
    return list(recipe.programs[0].moves(step))


def test_the_settings_are_those_of_its_code() -> None:
    weights = attentivenas().weights
    assert published(weights) == {
        "lr": 0.1,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 1e-5,
        "per": 256,
        "clip": None,
        "inactive": "freeze",
        "decay_vectors": False,
        "end": 0.0,
    }
    assert weights.clip_value == 1.0
    rises = [weights.schedule(step_of(operations_net(), index, total=3600), []) for index in (0, 24, 49, 50)]
    assert rises == pytest.approx([1 / 50, 25 / 50, 1.0, 1.0], rel=0.02)


def test_three_candidates_of_one_cost_stand_for_each_random_subnet() -> None:
    (sampler,) = attentivenas().samplers
    attentive: Any = sampler.between  # type: ignore[attr-defined]
    assert (attentive.sampler.count, attentive.sampler.bins, attentive.keep, attentive.pick) == (3, 70, 1, "best")
    rated = []

    def counting(archs: Any) -> list[float]:
        rated.append(len(archs))
        return [0.0] * len(archs)

    net = elastic_net()
    net.input_shape = squares().shape
    moves(attentivenas(candidates=3, bins=1, predictor=counting), Step(0, 10, net, np.random.default_rng(0)))
    assert len(rated) == 2
    assert all(1 <= different <= 3 for different in rated)
    assert sampler.random == 2  # type: ignore[attr-defined]


def losses_between(mode: Literal["best", "worst"], net: Supernet) -> list[float]:
    """Losses on the batch of the subnets between the extremes."""
    recipe, found = attentivenas(mode=mode, bins=1, candidates=6), []
    for index in range(6):
        step = step_of(net, index)
        (move,) = moves(recipe, step)
        archs = [path.decisions for path in move.paths]
        assert (archs[0], archs[-1], len(archs)) == (net.space.largest(), net.space.smallest(), 4)
        assert [path.dropout for path in move.paths] == [True, False, False, False]
        found += step.rate(archs[1:3], data="train")  # type: ignore[arg-type]
    return found


def test_best_up_trains_better_subnets_than_worst_up() -> None:
    net = operations_net()
    net.input_shape = squares().shape
    recipe = sandwich().with_weights(per=None)
    fit(net, recipe, squares(), steps=10, batch_size=16, accelerator="cpu", progress=False)
    best, worst = losses_between("best", net), losses_between("worst", net)
    assert np.mean(best) < np.mean(worst) - 0.05
    assert max(best) < np.median(worst)


def test_a_predictor_decides_without_running_the_supernet() -> None:
    net = elastic_net()
    net.input_shape = squares().shape
    step = Step(0, 10, net, np.random.default_rng(0))
    for mode, width in (("best", 8), ("worst", 4)):
        recipe = attentivenas(
            mode=mode,  # type: ignore[arg-type]
            candidates=50,
            bins=1,
            predictor=lambda archs: [float(arch["width"]) for arch in archs],
        )
        (move,) = moves(recipe, replace(step, rng=np.random.default_rng(0)))
        assert [path.decisions["width"] for path in move.paths[1:3]] == [width, width]


def test_one_candidate_is_no_choice() -> None:
    """Best and worst of one are the same training, and of three they are not."""

    def end(candidates: int, mode: Literal["best", "worst"]) -> torch.Tensor:
        recipe = attentivenas(mode=mode, candidates=candidates).with_weights(per=None)
        return vector(Trial(recipe=recipe, net=elastic_net(), data=squares(), batch_size=16).train(steps=4).net)

    assert torch.equal(end(1, "best"), end(1, "worst"))
    assert not torch.equal(end(3, "best"), end(3, "worst"))
