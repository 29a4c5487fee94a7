"""DYNAS: its released settings, alone and around other methods."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from method_trials import on_digits, published, train, vector
from small_nets import operations_net
from supernet.errors import UsageError
from supernet.methods import darts, dynas, fairnas, few_shot, greedynas, one_shot, sandwich, spos
from supernet.methods.single_path.dynas import WEIGHTS
from supernet.runs.naming import build_method
from supernet.train import ComplexityAwareLR, MomentumSeparation, OneGroup, OnLoss, Recipe, StrictFair, Uniform

FAIR = fairnas(weights=replace(WEIGHTS, clip_norm=None))
TRIALS = {
    "dynas": lambda: on_digits(dynas().with_weights(lr=0.3, per=None), operations_net()),
    "dynas, strictly fair": lambda: on_digits(dynas(FAIR).with_weights(lr=0.05, per=None), operations_net()),
}
ALTERNATIVES = {
    "recipe": spos(),
    "gamma_max": 2.0,
    "complexity": "macs",
    "states": MomentumSeparation(by="cluster", groups=2),
}
SETTINGS = {"gamma_max": 4.0, "complexity": "params", "states": MomentumSeparation(by="edge", choice=None)}
REFUSES = {"attentivenas", "darts", "dynas", "one_shot", "sandwich"}


def test_the_settings_are_the_released_ones() -> None:
    told = published(dynas().weights)
    assert {name: told[name] for name in ("lr", "momentum", "nesterov", "weight_decay", "per")} == {
        "lr": 0.025,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 5e-4,
        "per": 64,
    }
    assert dynas().weights.decay_vectors


def test_the_pieces_are_the_released_ones() -> None:
    single, fair = dynas(), dynas(FAIR)
    assert (single.name, fair.name) == ("dynas", "dynas(fairnas)")
    assert single.weights.clip_norm == 5.0
    assert fair.weights.clip_norm is None
    assert single.weights.schedule == ComplexityAwareLR()
    assert fair.weights.schedule == OnLoss(ComplexityAwareLR())
    assert single.weights.states == fair.weights.states == MomentumSeparation()
    assert single.weights.inactive == fair.weights.inactive == "decay"
    assert single.samplers == (Uniform(),)
    assert fair.samplers == (OneGroup(StrictFair(), MomentumSeparation()),)


def test_none_means_no_clipping() -> None:
    assert dynas().with_weights(clip_norm=None).weights.clip_norm is None
    assert dynas(spos(weights=replace(WEIGHTS, clip_norm=None))).weights.clip_norm is None


@pytest.mark.parametrize("recipe", [dynas(), dynas(FAIR)], ids=lambda recipe: recipe.name)
def test_it_learns_and_resumes_bitwise_with_the_states_of_all_groups(recipe: Recipe, tmp_path: Path) -> None:
    recipe = recipe.with_weights(lr=0.1, per=None)
    whole = train(recipe, steps=40, seed=1, log_every=1)
    first, last = (np.mean([row["loss"] for row in rows]) for rows in (whole.history[:8], whole.history[-8:]))
    assert last < first - 0.2
    for stop in (3, 17, None):
        part = train(recipe, steps=40, seed=1, out=tmp_path, resume=True, stop_after=stop)
    assert torch.equal(vector(part.net), vector(whole.net))


def test_around_another_method_it_changes_schedule_and_states_alone() -> None:
    inner = spos()
    around = dynas(inner)
    assert around.program == inner.program
    assert replace(around.weights, schedule=inner.weights.schedule, states=None) == inner.weights


def test_inside_a_method_with_leaves_or_around_it_is_the_same() -> None:
    assert dynas(few_shot(spos())).program == few_shot(dynas(spos())).program
    assert dynas(few_shot(spos())).weights == few_shot(dynas(spos())).weights


def test_paths_that_are_trained_one_after_another_need_no_common_option() -> None:
    assert dynas(greedynas()).program == greedynas().program
    assert dynas(greedynas()).weights.schedule == ComplexityAwareLR()


def test_what_it_cannot_go_around_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="'dynas' does so already; leave one of the two out"):
        dynas(dynas())
    for recipe in (sandwich(), one_shot()):
        with pytest.raises(UsageError, match="trains mixtures or paths that belong together"):
            dynas(recipe)
    with pytest.raises(UsageError, match="Bilevel of the recipe 'darts' does not train the paths of a sampler"):
        dynas(darts())


def test_its_pieces_can_be_named_in_configurations() -> None:
    options = {"recipe": {"method": "fairnas"}, "gamma_max": 3.0, "states": {"choice": "3<-0"}}
    plain = dynas(fairnas(), gamma_max=3.0, states=MomentumSeparation(choice="3<-0"))
    assert build_method("dynas", options).describe() == plain.describe()
    pieces = {
        "schedule": {"piece": "OnLoss", "schedule": {"piece": "ComplexityAwareLR", "gamma_max": 3.0}},
        "states": {"piece": "MomentumSeparation", "choice": "3<-0"},
    }
    by_hand = spos().with_weights(
        schedule=OnLoss(ComplexityAwareLR(gamma_max=3.0)), states=MomentumSeparation(choice="3<-0")
    )
    assert build_method("spos", {"weights": pieces}).describe() == by_hand.describe()
    assert build_method("dynas", {"weights.lr": 0.3}) == dynas().with_weights(lr=0.3)
    with pytest.raises(UsageError, match="no piece named 'Cosinus'"):
        build_method("spos", {"weights.schedule": {"piece": "Cosinus"}})
    with pytest.raises(UsageError, match="has no setting 'gamma'"):
        build_method("spos", {"weights.schedule": {"piece": "ComplexityAwareLR", "gamma": 3.0}})
