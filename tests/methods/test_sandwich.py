"""The sandwich rule: largest, two random, smallest; only the largest drops."""

from __future__ import annotations

from method_trials import moves, on_digits, published
from small_nets import elastic_net
from supernet.methods import sandwich
from supernet.train import Mean, Sum, sgd

TRIALS = {"sandwich": lambda: on_digits(sandwich().with_weights(per=None), elastic_net())}
ALTERNATIVES = {
    "random": 3,
    "temperature": 0.5,
    "hard": 0.5,
    "label_smoothing": 0.5,
    "combine": Mean(),
    "regularise": "all",
    "one_pass": True,
    "weights": sgd(0.1),
}
SETTINGS = {"random": 2, "temperature": 1.0, "hard": 0.0, "combine": Sum(), "regularise": "first", "one_pass": False}
SMOOTHING = 0.1


def test_defaults_are_the_published_ones() -> None:
    assert published(sandwich().weights) == {
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
    assert sandwich().weights.clip_value == 1.0


def test_a_step_is_one_move_of_four_paths() -> None:
    assert [(m.updates, m.data, len(m.paths)) for m in moves(sandwich(), elastic_net())] == [("weights", "train", 4)]


def test_only_the_largest_subnet_drops() -> None:
    assert [path.dropout for path in moves(sandwich(), elastic_net())[0].paths] == [True, False, False, False]
    assert all(path.dropout for path in moves(sandwich(regularise="all"), elastic_net())[0].paths)
