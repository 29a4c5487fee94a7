"""DenseNAS: routes by β, pairs of operations by α, a chained cost, and the best epochs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dense_nets import dense_net
from method_trials import on_digits, published, train
from supernet.measure import cost_model
from supernet.methods import densenas
from supernet.methods.macro.densenas import ARCHITECTURE, FINAL, PRICE, RESNET, WEIGHTS, densenas_final
from supernet.train import ChainedCost, EpochsInTurn, LikeliestRoute, OfBestEpoch, OptionLogits, adam, sgd
from supernet.train.edits.remember_derived import DERIVED
from supernet.train.laws import Trial


def trial(**options: Any) -> Trial:
    recipe = densenas(**{"begin": 0.0, "share": 0.1, "architecture": adam(0.01)} | options)
    tried = on_digits(recipe.with_weights(lr=0.1, per=None), dense_net(), steps=100)
    return Trial(recipe=tried.recipe, net=tried.net, data=tried.data, steps=tried.steps, watched=20)


TRIALS = {"densenas": trial}
ALTERNATIVES = {
    "begin": 0.5,
    "select_from": None,
    "temperature": 0.9,
    "share": 1.0,
    "architecture_objective": ChainedCost(weight=1.0),
    "weights": sgd(0.1),
    "architecture": adam(0.1),
}
SETTINGS = {
    "begin": 1 / 3,
    "select_from": 0.8,
    "temperature": 1.0,
    "share": 0.25,
    "architecture_objective": PRICE,
}
NET = dense_net
SHORT = {"begin": 0.0}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}


def test_defaults_are_those_of_the_released_code() -> None:
    told = published(WEIGHTS)
    assert (told["lr"], told["momentum"], told["weight_decay"], told["end"]) == (0.2, 0.9, 4e-5, 0.0005)
    assert WEIGHTS.schedule.floor * 0.2 == 1e-4
    assert FINAL.schedule.floor * 0.5 == 1e-5
    told = published(ARCHITECTURE)
    assert (told["lr"], told["betas"], told["weight_decay"]) == (3e-4, (0.5, 0.999), 1e-3)
    assert (PRICE.weight, PRICE.base, PRICE.skip_share) == (0.15, 15.0, 0.0)
    price = RESNET["architecture_objective"]
    assert (price.weight, price.base, price.skip_share) == (0.2, 3500.0, 0.1)
    program = densenas(**RESNET).programs[0]
    assert isinstance(program, EpochsInTurn)
    assert (program.relaxation.routes.temperature, program.relaxation.operations.temperature) == (0.9, 1.0)
    assert (program.relaxation.operations.count, program.begin) == (2, 1 / 7)
    assert densenas().edits[0].apply.keep == 2
    assert densenas().edits[0].unit == "epochs"
    assert densenas_final().program.objective.label_smoothing == 0.1
    assert isinstance(densenas().derive, OfBestEpoch)
    assert isinstance(densenas(select_from=None).derive, LikeliestRoute)


@pytest.mark.slow
def test_a_price_above_all_else_leads_to_the_cheapest_route_and_stays_finite() -> None:
    net = dense_net()
    recipe = densenas(
        begin=0.0, share=1.0, architecture=adam(0.3), architecture_objective=ChainedCost(weight=1e6), select_from=None
    )
    trained = train(recipe, net=net, steps=27)
    logits = trained.parts["architecture"]
    assert isinstance(logits, OptionLogits)
    assert all(torch.isfinite(values).all() for _, values in logits.named())
    assert all(torch.isfinite(values).all() for values in net.parameters())
    model = cost_model(net)
    assert trained.derived is not None
    costs = model.macs(net.space.codes(list(net.space.enumerate())))
    assert model.macs(trained.derived) <= sorted(costs)[3]
    first = {choice.name: values for choice, values in logits.named()}["block0.next"]
    assert first.softmax(0)[2] > 0.9  # past all blocks but the last


def test_the_two_best_epochs_are_remembered_and_the_best_one_is_derived() -> None:
    trained = train(densenas(begin=0.0, select_from=0.3), net=dense_net(), steps=36)
    told = [row["supernet/error"] for row in trained.history if "supernet/error" in row]
    known = trained.memory[DERIVED]
    assert len(known) == 2
    assert known[0]["error"] <= known[1]["error"]
    assert min(entry["epoch"] for entry in known) >= 2
    assert str(trained.derived) == known[0]["derived"]
    assert told
