"""FairNAS: m paths per step, and nothing else sets it apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from method_trials import moves, on_digits, published, train
from small_nets import elastic_net, operations_net
from supernet.errors import UsageError
from supernet.methods import fairnas, spos
from supernet.train import Mean, Sum, TrainPaths, Uniform, sgd

TRIALS = {"fairnas": lambda: on_digits(fairnas().with_weights(lr=0.05, per=None), operations_net())}
ALTERNATIVES = {"combine": Mean(), "label_smoothing": 0.2, "weights": sgd(0.1)}
SETTINGS = {"combine": Sum()}


def test_defaults_are_those_of_the_reconstruction() -> None:
    assert published(fairnas().weights) == {
        "lr": 0.045,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 4e-5,
        "per": 256,
        "clip": None,
        "inactive": "freeze",
        "decay_vectors": True,
        "end": 0.0,
    }


def test_a_step_is_one_move_of_as_many_paths_as_options() -> None:
    assert [(m.updates, m.data, len(m.paths)) for m in moves(fairnas(), operations_net())] == [("weights", "train", 3)]


def test_it_refuses_gated_choices() -> None:
    with pytest.raises(UsageError, match="'kernel' only exists"):
        train(fairnas(), net=elastic_net(), steps=1)


def test_the_rule_of_a_method_is_one_piece() -> None:
    """FairNAS with the sampler of SPOS and otherwise the same pieces is SPOS, bitwise."""
    base = spos(label_smoothing=0.0)
    disguised = replace(fairnas(), weights=base.weights, program=TrainPaths(sampler=Uniform()))
    nets = [operations_net(), operations_net()]
    for net, recipe in zip(nets, (base, disguised), strict=True):
        train(recipe, net=net)
    assert all(torch.equal(a, b) for a, b in zip(*(net.state_dict().values() for net in nets), strict=True))
