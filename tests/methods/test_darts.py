"""DARTS: its moves and settings, and that it finds what was planted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from method_trials import moves, on_digits, published, train
from small_nets import elastic_net, operations_net
from supernet import OpChoice, Supernet
from supernet.errors import UsageError
from supernet.methods import darts
from supernet.methods.cells.darts import ARCHITECTURE, PENN_TREEBANK, WEIGHTS_NAS_BENCH_201
from supernet.train import Bilevel, Constant, CrossEntropy, Move, Recipe, Slowness, Softmax, Step, Strongest, adam, sgd
from supernet.train.executor import Executor

TRIALS = {
    "darts": lambda: on_digits(darts().with_weights(lr=0.1), operations_net()),
    "darts, second order": lambda: on_digits(darts(order=2).with_weights(lr=0.1), operations_net()),
}
ALTERNATIVES = {
    "order": 2,
    "temperature": 0.5,
    "first": "weights",
    "begin": 0.5,
    "exclude": ("none",),
    "edges": 1,
    "slowness": 0.1,
    "clip_ahead": 0.25,
    "weights": sgd(0.1),
    "architecture": adam(0.1),
}
SETTINGS = {
    "order": 1,
    "temperature": 1.0,
    "first": "architecture",
    "begin": 0.0,
    "exclude": (),
    "edges": 2,
    "slowness": 0.0,
    "clip_ahead": None,
}


def test_defaults_are_the_published_ones() -> None:
    assert published(darts().weights) == {
        "lr": 0.025,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 3e-4,
        "per": None,
        "clip": 5.0,
        "inactive": "freeze",
        "decay_vectors": True,
        "end": 0.04,
    }


def test_the_protocol_of_nas_bench_201_differs_in_momentum_and_decay() -> None:
    told, darts_own = published(WEIGHTS_NAS_BENCH_201), published(darts().weights)
    assert told == {**darts_own, "nesterov": True, "weight_decay": 5e-4}
    found = moves(darts(first="weights", weights=WEIGHTS_NAS_BENCH_201), operations_net())
    assert [move.updates for move in found] == ["weights", "architecture"]


def test_the_architecture_is_stepped_with_the_published_adam() -> None:
    architecture = darts().parts["architecture"].updates
    assert architecture is not None
    told = published(architecture)
    assert (told["lr"], told["betas"], told["weight_decay"], told["clip"]) == (3e-4, (0.5, 0.999), 1e-3, None)
    assert isinstance(architecture.schedule, Constant)


def test_the_settings_of_the_search_of_recurrent_cells() -> None:
    recipe = darts(**PENN_TREEBANK)
    told = published(recipe.weights)
    assert (told["lr"], told["momentum"], told["weight_decay"], told["clip"]) == (20.0, 0.0, 5e-7, 0.25)
    assert isinstance(recipe.weights.schedule, Constant)
    architecture = recipe.parts["architecture"].updates
    assert architecture is not None
    of_logits = published(architecture)
    assert (of_logits["lr"], of_logits["betas"], of_logits["weight_decay"]) == (3e-3, (0.9, 0.999), 1e-3)
    (program,) = recipe.programs
    assert isinstance(program, Bilevel)
    assert (program.objective, program.architecture_objective) == (Slowness(CrossEntropy(), 1e-3), CrossEntropy())
    assert recipe.derive == Strongest(("none",), edges=1)


def test_clipping_ahead_needs_a_step_ahead() -> None:
    with pytest.raises(UsageError, match="leave it out, or say order=2"):
        train(darts(clip_ahead=0.25), steps=1)
    with pytest.raises(UsageError, match="gradients ahead"):
        darts(order=2, clip_ahead=0.0)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [("architecture", "validation", 1), ("weights", "train", 1)]),
        ({"first": "weights"}, [("weights", "train", 1), ("architecture", "validation", 1)]),
        ({"begin": 0.6}, [("weights", "train", 1)]),
        ({"begin": 0.5}, [("architecture", "validation", 1), ("weights", "train", 1)]),
    ],
)
def test_the_moves_of_a_step(options: dict[str, Any], expected: list[tuple[str, str, int]]) -> None:
    found = moves(darts(**options), operations_net())
    assert [(move.updates, move.data, len(move.paths)) for move in found] == expected


def test_the_loop_carries_the_moves_out_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    carried_out: list[str] = []
    original = Executor.execute

    def noting(self: Executor, move: Move, now: Step) -> float:
        carried_out.append(move.updates)
        return original(self, move, now)

    monkeypatch.setattr(Executor, "execute", noting)
    for first in ("architecture", "weights"):
        carried_out.clear()
        train(darts(first=first, begin=0.5), steps=4)  # type: ignore[arg-type]
        other = {"architecture": "weights", "weights": "architecture"}[first]
        assert carried_out == ["weights", "weights", first, other, first, other]


def test_it_refuses_sizes() -> None:
    with pytest.raises(UsageError, match="cannot be mixed"):
        train(darts(), net=elastic_net(), steps=1)


class Blind(nn.Module):
    """A candidate that passes nothing of the image on, but has as many weights as a useful one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, channels, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.constant.mean((2, 3), keepdim=True).expand(len(x), -1, *x.shape[-2:])


def planted(useful: int) -> Supernet:
    """Of three candidates only the one at this position sees the image."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        options = {f"option{i}": nn.Conv2d(1, 8, 3, padding=1) if i == useful else Blind(8) for i in range(3)}
        return Supernet(
            nn.Sequential(
                OpChoice("block", options), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10)
            )
        )


def fast(lr: float = 0.1, alpha: float = 0.05, **options: Any) -> Recipe:
    return darts(architecture=ARCHITECTURE.with_settings(lr=alpha), **options).with_weights(lr=lr)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("useful", [0, 1, 2])
def test_it_derives_the_only_useful_candidate(order: int, useful: int) -> None:
    trained = train(fast(order=order), net=planted(useful), steps=40)
    assert trained.derived is not None
    assert trained.derived["block"] == f"option{useful}"
    assert trained.parts["architecture"].probabilities(Softmax())["block"][useful] > 0.5


def trajectory(recipe: Recipe) -> list[Tensor]:
    return [logits.detach() for logits in train(recipe, steps=10).parts["architecture"].parameters()]


def test_the_two_orders_and_the_two_sequences_learn_different_architectures() -> None:
    first, again = trajectory(fast(0.2, 0.01)), trajectory(fast(0.2, 0.01))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for options in ({"order": 2}, {"first": "weights"}, {"temperature": 3.0}):
        other = trajectory(fast(0.2, 0.01, **options))
        assert max((a - b).abs().max().item() for a, b in zip(first, other, strict=True)) > 1e-4


def test_excluded_options_are_not_derived() -> None:
    trained = train(fast(exclude=("option1",)), net=planted(1), steps=20)
    assert trained.derived is not None
    assert trained.derived["block"] != "option1"
    with pytest.raises(UsageError, match="no choice of the supernet has it"):
        train(darts(exclude=("nothing",)))


def test_its_weights_alone_are_stepped_by_settings_of_weights() -> None:
    changed = darts().with_weights(lr=0.5)
    assert replace(changed, weights=darts().weights) == darts()
