"""SPOS: one uniform path per step, with the settings of its released code."""

from __future__ import annotations

from method_trials import moves, on_digits, published
from small_nets import elastic_net, operations_net
from supernet.methods import spos
from supernet.train import Uniform, sgd

TRIALS = {
    "spos": lambda: on_digits(spos().with_weights(lr=0.1, per=None), operations_net()),
    "spos, sizes": lambda: on_digits(spos().with_weights(lr=0.1, per=None), elastic_net()),
}
ALTERNATIVES = {"sampler": Uniform(2), "label_smoothing": 0.2, "weights": sgd(0.1)}
SETTINGS = {"sampler": Uniform()}
SMOOTHING = 0.1


def test_defaults_are_the_published_ones() -> None:
    assert published(spos().weights) == {
        "lr": 0.5,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 4e-5,
        "per": 1024,
        "clip": None,
        "inactive": "freeze",
        "decay_vectors": False,
        "end": 0.0,
    }


def test_a_step_is_one_move_of_one_path() -> None:
    assert [(m.updates, m.data, len(m.paths)) for m in moves(spos(), operations_net())] == [("weights", "train", 1)]
