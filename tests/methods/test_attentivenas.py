"""AttentiveNAS: which subnets stand between the largest and the smallest."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import torch

from dropping_nets import dropping_net
from method_trials import on_digits, published, squares, vector
from small_nets import elastic_net, executor, operations_net
from supernet import Supernet, measure
from supernet.methods import attentivenas, sandwich
from supernet.train import BatchLoss, Recipe, Step, fit, sgd
from supernet.train.laws import Trial
from supernet.train.move import Move
from supernet.train.updates import Stepper

TRIALS = {"attentivenas": lambda: on_digits(attentivenas().with_weights(per=None), dropping_net())}
ALTERNATIVES = {
    "mode": "worst",
    "candidates": 4,
    "bins": 71,
    "predictor": len,
    "random": 3,
    "drop_path": 0.1,
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
    "drop_path": 0.2,
    "regularise": "first",
}
SMOOTHING = 0.1
SHORT = {"drop_path": 0.0}  # for nets without drop-path


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
    assert weights.optimiser.whole  # type: ignore[attr-defined]
    start = step_of(operations_net(), total=3600)
    factors = [weights.schedule(replace(start, index=index), []) for index in range(3600)]
    rises = [min(1.0, 0.001 + 0.999 * index / 50) for index in range(3600)]
    expected = [rise * (1 + math.cos(math.pi * index / 3600)) / 2 for index, rise in enumerate(rises)]
    assert factors == pytest.approx(expected, abs=1e-12)  # the cosine spans the whole run, the warm-up included


def test_the_learning_rate_grows_by_whole_factors() -> None:
    for size, factor in ((32, 1), (511, 1), (512, 2), (2048, 8)):
        stepper = Stepper(attentivenas().weights, operations_net().parameters(), batch_size=size)
        now = step_of(operations_net(), 50, total=3600)
        assert stepper.lr(now, []) == pytest.approx(0.1 * factor, rel=1e-3)


def test_bins_are_drawn_as_often_as_uniform_subnets_fall_into_them() -> None:
    """P(bin), counted: of all architectures by their exact probabilities, and of those that the method trains."""
    net, count = dropping_net(), 2000
    net.input_shape = squares().shape
    (sampler,) = attentivenas(bins=5).samplers
    group: Any = sampler.between.sampler  # type: ignore[attr-defined]
    archs = list(net.space.enumerate())
    macs = np.array([measure.macs(net, arch) for arch in archs])
    edges = np.linspace(macs.min(), macs.max(), 6)
    places = np.clip(np.searchsorted(edges, macs, side="right") - 1, 0, 4)
    chance = {arch: 1 / 2 / 2 / 2 / (2 if arch["depth"] == 2 else 1) for arch in archs}
    prior = np.bincount(places, [chance[arch] for arch in archs], minlength=5)
    assert prior.sum() == pytest.approx(1)
    place_of = dict(zip(archs, places, strict=True))
    rng, hits = np.random.default_rng(0), np.zeros(5)
    for _ in range(count):
        drawn = group.paths(Step(0, 10, net, rng))
        assert len(drawn) == 3
        (place,) = {place_of[arch] for arch in drawn}  # one cost
        hits[place] += 1
    spread = np.sqrt(prior * (1 - prior) / count)
    assert (np.abs(hits / count - prior) <= 4.5 * spread + 1e-12).all()


def test_candidates_are_rated_by_the_smoothed_loss() -> None:
    (sampler,) = attentivenas(label_smoothing=0.3).samplers
    assert sampler.between.rating == BatchLoss(0.3)  # type: ignore[attr-defined]
    net = dropping_net()
    net.input_shape = squares().shape
    step, seen = step_of(net), []
    rate = Step.rate

    def noting(self: Step, archs: Any, **options: Any) -> list[float]:
        seen.append(options)
        return rate(self, archs, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Step, "rate", noting)
        moves(attentivenas(bins=1), step)
    assert seen == [{"data": "train", "label_smoothing": 0.1}] * 2


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
        return vector(Trial(recipe=recipe, net=dropping_net(), data=squares(), batch_size=16).train(steps=4).net)

    assert torch.equal(end(1, "best"), end(1, "worst"))
    assert not torch.equal(end(3, "best"), end(3, "worst"))
