"""GreedyNAS and AttentiveNAS as methods: what sets them apart, and their published settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from small_nets import elastic_net, executor, images, operations_net
from supernet import Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.methods import attentivenas, greedynas, sandwich
from supernet.train import Budget, Recipe, Step, fit
from supernet.train.laws import Trial
from supernet.train.move import Move

SQUARES = images()


def step_of(net: Supernet, index: int = 50, *, total: int = 100) -> Step:
    run = executor(net, SQUARES)
    return Step(index, total, net, np.random.default_rng([0, index]), rater=run.rate)


def moves(recipe: Recipe, step: Step) -> list[Move]:
    return list(recipe.phases[0].program.moves(step))


def group(recipe: Recipe) -> dict[str, float]:
    return recipe.weights.optimizer([{"params": [nn.Parameter(torch.zeros(1))]}]).param_groups[0]


# -- GreedyNAS ---------------------------------------------------------------------------------------------------


def test_a_step_of_greedynas_is_five_moves_of_one_path_each_on_new_images() -> None:
    found = moves(greedynas(images=40), step_of(operations_net()))
    assert [(m.updates, m.data, len(m.paths), m.fresh) for m in found] == [("weights", "train", 1, True)] * 5


def test_greedynas_keeps_to_its_budget() -> None:
    net = zoo.nasbench201(channels=4, cells=1, in_channels=1)
    net.input_shape = SQUARES.shape
    costs = measure.cost_model(net)
    limit = float(np.quantile(costs.macs(net.space.population(np.random.default_rng(1), 1000)), 0.1))
    recipe = greedynas(images=16, candidates=4, keep=4, max_macs=limit)
    recipe.phases[0].program.check(net)
    step = step_of(net)
    for index in range(5):
        found = moves(recipe, replace(step, index=index))
        assert all(costs.macs(move.paths[0].decisions) <= limit for move in found)
    with pytest.raises(UsageError, match="they range from"):
        greedynas(max_macs=1.0).phases[0].program.check(net)
    assert Budget(high=limit) == recipe.phases[0].program.sampler.explore


# -- AttentiveNAS ------------------------------------------------------------------------------------------------


def losses_between(mode: str, net: Supernet) -> list[float]:
    """Losses on the batch of the subnets between the extremes."""
    recipe, found = attentivenas(mode=mode, bins=1, candidates=6), []  # type: ignore[arg-type]
    for index in range(6):
        step = step_of(net, index)
        (move,) = moves(recipe, step)
        archs = [path.decisions for path in move.paths]
        assert (archs[0], archs[-1], len(archs)) == (net.space.largest(), net.space.smallest(), 4)
        assert [path.dropout for path in move.paths] == [True, False, False, False]
        found += step.rate(archs[1:3], data="train")
    return found


def test_best_up_trains_better_subnets_than_worst_up() -> None:
    net = operations_net()
    net.input_shape = SQUARES.shape
    fit(net, sandwich(reference_batch=None), SQUARES, steps=10, batch_size=16, accelerator="cpu", progress=False)
    best, worst = losses_between("best", net), losses_between("worst", net)
    assert np.mean(best) < np.mean(worst) - 0.05
    assert max(best) < np.median(worst)


def test_a_predictor_decides_without_running_the_supernet() -> None:
    net = elastic_net()
    net.input_shape = SQUARES.shape
    step = Step(0, 10, net, np.random.default_rng(0))
    recipe = attentivenas(candidates=50, bins=1, predictor=lambda archs: [float(arch["width"]) for arch in archs])
    (move,) = moves(recipe, step)
    assert [path.decisions["width"] for path in move.paths[1:3]] == [8, 8]
    (move,) = moves(
        replace(
            recipe,
            program=attentivenas(
                mode="worst", candidates=50, bins=1, predictor=lambda archs: [float(arch["width"]) for arch in archs]
            ).program,
        ),
        step,
    )
    assert [path.decisions["width"] for path in move.paths[1:3]] == [4, 4]


def test_the_settings_of_attentivenas_are_those_of_its_code() -> None:
    weights = attentivenas().weights
    assert {name: group(attentivenas())[name] for name in ("lr", "momentum", "nesterov", "weight_decay")} == {
        "lr": 0.1,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 1e-5,
    }
    assert (weights.clip_value, weights.clip_norm, weights.reference_batch, weights.decay_vectors) == (
        1.0,
        None,
        256,
        False,
    )
    rises = [weights.schedule(step_of(operations_net(), index, total=3600), []) for index in (0, 24, 49, 50)]
    assert rises == pytest.approx([1 / 50, 25 / 50, 1.0, 1.0], rel=0.02)


def test_one_candidate_is_no_choice() -> None:
    """Best and worst of one are the same training, and of three they are not."""

    def end(candidates: int, mode: str) -> torch.Tensor:
        recipe = attentivenas(mode=mode, candidates=candidates, reference_batch=None)  # type: ignore[arg-type]
        trained = Trial(recipe=recipe, net=elastic_net(), data=SQUARES, batch_size=16).train(steps=4)
        return torch.cat([p.detach().flatten() for p in trained.net.parameters()])

    assert torch.equal(end(1, "best"), end(1, "worst"))
    assert not torch.equal(end(3, "best"), end(3, "worst"))
