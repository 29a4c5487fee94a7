"""One-Shot: subsets of the candidates, in ghost batches."""

from __future__ import annotations

import pytest

from method_trials import moves, on_digits, published, train
from small_nets import elastic_net, operations_net
from supernet.errors import UsageError
from supernet.methods import one_shot
from supernet.train import sgd

TRIALS = {"one_shot": lambda: on_digits(one_shot(), operations_net())}
ALTERNATIVES = {"rate": 0.5, "ramp": 0.5, "ghost_batch": 33, "weights": sgd(0.2)}
SETTINGS = {"rate": 0.05, "ramp": 1.0, "ghost_batch": 32}


def test_defaults_are_those_of_the_reconstruction() -> None:
    assert published(one_shot().weights) == {
        "lr": 0.1,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 1e-4,
        "per": None,
        "clip": 5.0,
        "inactive": "freeze",
        "decay_vectors": True,
        "end": 0.0,
    }


def test_it_runs_subsets_in_ghost_batches() -> None:
    (move,) = moves(one_shot(rate=0.9), operations_net())
    assert (move.updates, move.data, len(move.paths)) == ("weights", "train", 1)
    assert move.micro_batch == 32
    assert all(isinstance(decision, tuple) for decision in move.paths[0].decisions.values())
    (whole,) = moves(one_shot(ghost_batch=None), operations_net())
    assert whole.micro_batch is None


def test_it_refuses_sizes() -> None:
    with pytest.raises(UsageError, match="cannot be mixed"):
        train(one_shot(), net=elastic_net(), steps=1)
