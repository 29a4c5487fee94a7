"""GreedyNAS: the best of ten, one after another, under a budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from method_trials import on_digits, published, squares
from small_nets import elastic_net, executor, operations_net
from supernet import Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.methods import greedynas
from supernet.train import Budget, Step, sgd

TRIALS = {
    "greedynas": lambda: on_digits(greedynas().with_weights(lr=0.05, per=None), operations_net()),
    "greedynas, sizes": lambda: on_digits(greedynas().with_weights(lr=0.05, per=None), elastic_net()),
}
ALTERNATIVES = {
    "candidates": 11,
    "keep": 6,
    "pool": 1001,
    "images": 1001,
    "rate_by": "accuracy",
    "epsilon": 0.4,
    "warmup": 0.5,
    "max_macs": 0.5,
    "stop_turnover": 0.5,
    "label_smoothing": 0.5,
    "weights": sgd(0.1),
}
SETTINGS = {
    "candidates": 10,
    "keep": 5,
    "pool": 1000,
    "images": 1000,
    "rate_by": "loss",
    "epsilon": 0.8,
    "warmup": 0.07,
    "max_macs": None,
    "stop_turnover": None,
}
SMOOTHING = 0.1


def step_of(net: Supernet, index: int = 50, *, total: int = 100) -> Step:
    run = executor(net, squares())
    return Step(index, total, net, np.random.default_rng([0, index]), runner=run)


def test_defaults_are_those_of_the_reconstruction() -> None:
    assert published(greedynas().weights) == {
        "lr": 0.12,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 4e-5,
        "per": 1024,
        "clip": None,
        "inactive": "freeze",
        "decay_vectors": True,
        "end": 0.0,
    }


def test_a_step_is_five_moves_of_one_path_each_on_new_images() -> None:
    found = list(greedynas(images=40).programs[0].moves(step_of(operations_net())))
    assert [(m.updates, m.data, len(m.paths), m.fresh) for m in found] == [("weights", "train", 1, True)] * 5


def test_it_keeps_to_its_budget() -> None:
    net = zoo.nasbench201(channels=4, cells=1, in_channels=1)
    net.input_shape = squares().shape
    costs = measure.cost_model(net)
    limit = float(np.quantile(costs.macs(net.space.population(np.random.default_rng(1), 1000)), 0.1))
    recipe = greedynas(images=16, candidates=4, keep=4, max_macs=limit)
    (program,) = recipe.programs
    program.check(net)
    step = step_of(net)
    for index in range(5):
        found = list(program.moves(replace(step, index=index)))
        assert all(costs.macs(move.paths[0].decisions) <= limit for move in found)
    with pytest.raises(UsageError, match="they range from"):
        greedynas(max_macs=1.0).programs[0].check(net)
    assert Budget(high=limit) == recipe.samplers[0].explore  # type: ignore[attr-defined]


SHORT = {"candidates": 2, "keep": 1, "images": 16}


def test_it_rates_by_loss_or_accuracy() -> None:
    with pytest.raises(UsageError, match="by 'loss' or 'accuracy'; got 'latency'"):
        greedynas(rate_by="latency")  # type: ignore[arg-type]
