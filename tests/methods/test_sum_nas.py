"""SUM-NAS: the way of each path, around any method that trains paths by their gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest

from method_trials import on_digits, published, train, vector
from small_nets import elastic_net, operations_net
from supernet.errors import UsageError
from supernet.methods import dc_nas, fairnas, nasvit, one_shot, sandwich, spos, sum_nas
from supernet.methods.single_path.sum_nas import WEIGHTS
from supernet.train import Mean, Reptile, Sandwich, StrictFair, TrainPaths, Uniform

TRIALS = {
    "sum_nas": lambda: on_digits(sum_nas(inner_lr=0.3), operations_net()),
    "sum_nas, sizes": lambda: on_digits(
        sum_nas(spos(sampler=Uniform(2), label_smoothing=0.0, weights=WEIGHTS), inner_lr=0.02), elastic_net()
    ),
}
ALTERNATIVES = {
    "recipe": spos(),
    "inner_steps": 3,
    "inner_lr": 0.5,
    "inner_momentum": 0.45,
    "inner_clip_norm": 2.5,
}
SETTINGS = {"inner_steps": 2, "inner_lr": 0.05, "inner_momentum": 0.9, "inner_clip_norm": 5.0}
REFUSES = {"darts", "greedynas", "k_shot", "one_shot", "sum_nas"}


def test_defaults_are_those_of_the_code_of_pa_da() -> None:
    assert published(sum_nas().weights) == {
        "lr": 1.0,
        "momentum": 0.0,
        "nesterov": False,
        "weight_decay": 4e-5,
        "per": None,
        "clip": None,
        "inactive": "decay",
        "decay_vectors": True,
        "end": 0.0,
    }
    assert sum_nas().program == TrainPaths(sampler=StrictFair(), combine=Mean(), gradient=Reptile())


def test_around_another_method_it_is_that_methods_paths_objective_and_updates() -> None:
    around = sum_nas(sandwich())
    assert around.name == "sum_nas(sandwich)"
    assert (around.samplers, around.weights) == ((Sandwich(2),), sandwich().weights)
    assert around.program.objective == sandwich().program.objective  # type: ignore[union-attr]


def test_it_trains_otherwise_than_what_it_goes_around() -> None:
    inner = fairnas(weights=WEIGHTS)
    assert (vector(train(sum_nas(inner)).net) - vector(train(inner).net)).norm() > 1e-3


def test_what_has_a_gradient_of_its_own_is_refused() -> None:
    for recipe in (sum_nas(), one_shot()):
        with pytest.raises(UsageError, match="sum_nas exchanges the gradient of a program"):
            sum_nas(recipe)
    phases = replace(spos(), program=replace(spos().program, gradient=Reptile()))  # type: ignore[type-var]
    with pytest.raises(UsageError, match="or has a gradient of its own"):
        sum_nas(phases)


def test_a_rule_that_joins_gradients_is_not_thrown_away() -> None:
    for recipe, rule in ((dc_nas(), "MatchWeighted"), (nasvit(), "ProjectLargest")):
        with pytest.raises(UsageError, match=f"by a rule of its own, {rule}, which would be lost"):
            sum_nas(recipe)


def test_inner_steps_need_sensible_numbers() -> None:
    for options, words in (
        ({"inner_lr": float("nan")}, "lr of the inner steps is nan"),
        ({"inner_momentum": -1.0}, r"momentum of the inner steps is -1.0; .* at least 0 and below 1"),
        ({"inner_clip_norm": 0.0}, r"clip_norm of the inner steps \(None for none\) is 0.0"),
        ({"inner_steps": 0}, "takes 0 steps"),
    ):
        with pytest.raises(UsageError, match=words):
            sum_nas(**options)  # type: ignore[arg-type]
