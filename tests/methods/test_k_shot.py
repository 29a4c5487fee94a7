"""K-shot NAS: weights and codes in turn."""

from __future__ import annotations

import math

import pytest
import torch

from method_trials import digits, on_digits, published, squares, train
from small_nets import elastic_net, executor, operations_net, step
from supernet.errors import UsageError
from supernet.methods import dynas, fairnas, greedynas, k_shot, spos, sum_nas
from supernet.methods.nshot.k_shot import CODES
from supernet.train import fit, sgd

TRIALS = {
    "k_shot": lambda: on_digits(k_shot(k=3, entropy=0.1).with_weights(lr=0.5), operations_net(), steps=100),
    "k_shot, sizes": lambda: on_digits(k_shot(k=2, code_data="validation"), elastic_net(), steps=60),
}
ALTERNATIVES = {
    "recipe": spos(),
    "k": 9,
    "hidden": 65,
    "temperature": 0.5,
    "entropy": 0.5,
    "codes": sgd(0.5),
    "code_data": "validation",
    "seed": 1,
}
SETTINGS = {
    "k": 8,
    "hidden": 64,
    "temperature": 1.0,
    "entropy": 0.0,
    "code_data": "train",
    "seed": 0,
}
SMOOTHING = 0.1


def test_defaults_are_those_of_the_reconstruction() -> None:
    assert published(k_shot().weights) == {
        "lr": 0.1,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 4e-5,
        "per": None,
        "clip": 5.0,
        "inactive": "freeze",
        "decay_vectors": False,
        "end": 0.0,
    }
    codes = k_shot().parts["codes"].updates
    assert codes is not None
    assert published(codes) == {**published(k_shot().weights), "lr": 0.01}


def test_it_trains_weights_and_codes_in_turn() -> None:
    recipe = k_shot(k=2)
    net = recipe.adapted(operations_net())
    run = executor(net, squares(), recipe=recipe)
    run.begin()
    seen = []
    for move in recipe.programs[0].moves(step(net, 0)):
        before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        run.execute(move, step(net, 0))
        moved = [name for name, tensor in net.state_dict().items() if not torch.equal(tensor, before[name])]
        seen.append({"statistics" if "running" in name or "num" in name else name.split(".")[1] for name in moved})
    assert seen == [{"copies", "statistics"}, {"simplex"}]


def test_entropy_keeps_codes_apart_from_the_corners() -> None:
    def entropy(weight: float) -> float:
        recipe = k_shot(k=3, entropy=weight, codes=CODES.with_settings(lr=0.3)).with_weights(lr=0.3)
        net = fit(operations_net(), recipe, digits(), steps=60, batch_size=32, accelerator="cpu", progress=False).net
        total = 0.0
        for arch in net.space.enumerate():
            with net.active(arch), torch.no_grad():
                total += net.module.entropy().item()
        return total / net.space.size

    assert entropy(0.3) > 0.9 * math.log(3)
    assert entropy(0.0) < 0.5 * math.log(3), "there would be nothing to keep apart"


def test_it_needs_sensible_numbers() -> None:
    with pytest.raises(UsageError, match=r"entropy is -1\.0"):
        train(k_shot(entropy=-1.0))
    with pytest.raises(UsageError, match="0 copies"):
        train(k_shot(k=0))


def test_it_goes_around_single_paths_alone() -> None:
    assert k_shot(dynas(spos())).weights == dynas(spos()).weights
    for recipe in (fairnas(), greedynas(), sum_nas(spos())):
        with pytest.raises(UsageError, match="k_shot trains one path on one batch by its gradient"):
            k_shot(recipe)


SHORT = {"k": 2}
REFUSES = {
    "attentivenas",
    "darts",
    "dynas",
    "fairnas",
    "few_shot",
    "gm_nas",
    "greedynas",
    "k_shot",
    "one_shot",
    "sandwich",
    "sum_nas",
}


def test_it_refuses_to_carry_sets_on_while_codes_learn() -> None:
    with pytest.raises(UsageError, match="Give it updates with inactive='freeze'"):
        k_shot(dynas())
    assert k_shot(dynas().with_weights(inactive="freeze")).name == "k_shot(dynas)"
