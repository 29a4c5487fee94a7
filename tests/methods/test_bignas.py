"""BigNAS: a sandwich whose largest subnet alone is regularised, at a learning rate that ends constant."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from dropping_nets import dropping_net
from method_trials import moves, on_digits, published, squares, train
from small_nets import executor, operations_net, step
from supernet import Supernet
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.methods import bignas
from supernet.methods.elastic.bignas import WEIGHTS, XFEY
from supernet.nn import DropPath
from supernet.train import RMSpropTF, Sandwich, Sum, fit, sgd
from supernet.train.step import Step
from supernet.train.updates import Stepper

TRIALS = {"bignas": lambda: on_digits(bignas().with_weights(lr=0.01, per=None), dropping_net())}
ALTERNATIVES = {
    "random": 3,
    "drop_path": 0.1,
    "label_smoothing": 0.5,
    "regularise": "all",
    "weights": sgd(0.1),
}
SETTINGS = {"random": 2, "drop_path": 0.2, "regularise": "first"}
SMOOTHING = 0.1
SHORT = {"drop_path": 0.0}  # for nets without drop-path
REFUSED_BY = {"dynas", "k_shot"}


@cache
def net_of_operations() -> Supernet:
    return operations_net()


def at(index: int, *, total: int, per_epoch: int) -> Step:
    return replace(step(net_of_operations(), index, total=total), steps_per_epoch=per_epoch)


def test_the_settings_are_those_of_the_paper() -> None:
    optimiser = WEIGHTS.optimiser
    assert optimiser == RMSpropTF(lr=0.256, alpha=0.9, momentum=0.9, eps=1e-3, weight_decay=1e-5, per=4096)
    assert not WEIGHTS.decay_vectors
    assert (WEIGHTS.clip_norm, WEIGHTS.clip_value) == (None, None)
    (program,) = bignas().programs
    assert program.sampler == Sandwich(2)  # type: ignore[attr-defined]
    assert program.combine == Sum()  # type: ignore[attr-defined]


def test_the_learning_rate_ends_at_five_percent() -> None:
    rates = [WEIGHTS.schedule(at(10 * epoch, total=3600, per_epoch=10), []) for epoch in range(360)]
    assert rates[12] == pytest.approx(0.97**5)
    end = 2.4 * math.log(0.05) / math.log(0.97)
    assert [rate == 0.05 for rate in rates] == [epoch > end for epoch in range(360)]
    assert rates == [pytest.approx(max(0.05, 0.97 ** (epoch / 2.4))) for epoch in range(360)]


def test_the_preset_is_the_reported_run_of_the_re_implementation() -> None:
    weights = bignas(**XFEY).weights
    assert published(weights) == {
        "lr": 0.128,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 3e-6,
        "per": 640,
        "clip": 5.0,
        "inactive": "freeze",
        "decay_vectors": False,
        "end": 0.05,
    }
    rates = [weights.schedule(at(10 * epoch, total=3650, per_epoch=10), []) for epoch in range(365)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[5] == 1.0
    assert rates[5 + 24] == pytest.approx(0.97**10)


# -- what is regularised ---------------------------------------------------------------------------------------


class Dropped:
    """By path of a step: how many images a drop-path layer dropped, and how many features the dropout layer did."""

    def __init__(self, net: Supernet) -> None:
        self.images: list[int] = []
        self.features: list[int] = []
        layers = list(net.modules())
        (dropout,) = (layer for layer in layers if isinstance(layer, nn.Dropout))
        (first, *_) = (layer for layer in layers if isinstance(layer, DropPath))
        first.register_forward_hook(self._of_images)
        dropout.register_forward_hook(self._of_features)

    def _of_images(self, _: nn.Module, given: tuple[Tensor, ...], found: Tensor) -> None:
        lost = (found.flatten(1) == 0).all(1) & (given[0].flatten(1) != 0).any(1)
        self.images.append(int(lost.sum()))

    def _of_features(self, _: nn.Module, given: tuple[Tensor, ...], found: Tensor) -> None:
        self.features.append(int(((found == 0) & (given[0] != 0)).sum()))


def dropped(regularise: str) -> Dropped:
    net = dropping_net()
    watch = Dropped(net)
    recipe = bignas(drop_path=0.5, regularise=regularise).with_weights(lr=0.001, per=None)  # type: ignore[arg-type]
    fit(net, recipe, squares(), steps=3, batch_size=32, accelerator="cpu", progress=False)
    return watch


def test_only_the_largest_subnet_drops_images_and_features() -> None:
    first, every = dropped("first"), dropped("all")
    for counts in (first.images[-12:], first.features[-12:]):  # four paths a step, the largest first
        assert [count > 0 for count in counts] == [True, False, False, False] * 3
    assert sum(count > 0 for count in every.images[-12:]) > 9
    assert all(count > 0 for count in every.features[-12:])


def test_weight_decay_is_that_of_the_largest_subnet_alone() -> None:
    """The loss of the largest has λ/2 ‖w‖² and those of the others nothing: λ w in the gradient, and not four times."""
    decay, net = 0.5, dropping_net()
    recipe = bignas(drop_path=0).with_weights(lr=1.0, momentum=0.0, alpha=0.0, eps=1e6, weight_decay=decay, per=None)
    run = executor(net, squares(), weights=recipe.weights)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    twin = dropping_net().train()
    batch = run.batch("train")
    now = step(net)
    (move,) = recipe.programs[0].moves(now)
    torch.manual_seed(0)
    run.execute(move, now)  # type: ignore[arg-type]

    torch.manual_seed(0)
    other = executor(twin, squares())
    losses = []
    outcomes: list = []
    for path in move.paths:  # type: ignore[union-attr]
        loss, outcome = other.run(path, batch, replace(now, net=twin), outcomes)
        losses.append(loss)
        outcomes.append(outcome.detached())
    decayed = [p for p in twin.parameters() if p.ndim > 1]
    losses[0] = losses[0] + decay / 2 * sum(p.square().sum() for p in decayed)
    torch.stack(losses).sum().backward()
    for name, parameter in twin.named_parameters():
        assert parameter.grad is not None
        moved = (before[name] - net.get_parameter(name)) * 1e3  # the root of ε divides
        torch.testing.assert_close(moved, parameter.grad, atol=2e-3, rtol=2e-3)


def test_a_net_without_drop_path_is_refused_in_a_sentence() -> None:
    with pytest.raises(UsageError, match=r"drop_path.*no layer of the network reads"):
        train(bignas())
    assert train(bignas(drop_path=0), steps=2).steps == 2
    with pytest.raises(UsageError, match="drop-path is 1"):
        bignas(drop_path=1.0)


def test_a_step_is_one_move_of_four_paths_of_which_three_are_taught() -> None:
    net = dropping_net()
    (move,) = moves(bignas(), net)
    assert [path.decisions for path in move.paths][:: len(move.paths) - 1] == [
        net.space.largest(),
        net.space.smallest(),
    ]
    assert len(move.paths) == 4
    run = executor(net, squares())
    batch, now, earlier = run.batch("train"), step(net), []
    wrong = Batch(batch.x, (batch.labels + 1) % 10)  # labels that only the largest looks at
    for number, path in enumerate(move.paths):
        path = replace(path, dropout=False)
        right, outcome = run.run(path, batch, now, earlier)
        assert (right.item() != run.run(path, wrong, now, earlier)[0].item()) == (number == 0)
        earlier.append(outcome.detached())


def test_the_optimiser_is_for_batches_of_4096() -> None:
    stepper = Stepper(WEIGHTS, dropping_net().parameters(), batch_size=1024)
    assert stepper.lr(at(0, total=10, per_epoch=10), []) == pytest.approx(0.064)
