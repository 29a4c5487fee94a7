"""PAD-NAS: stages, a search between them, and the operations that are rare in its fronts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from method_trials import on_digits, published, squares, train
from shifted_searches import blocks_net
from small_nets import operations_net
from supernet.errors import UsageError
from supernet.measure import Calibration
from supernet.methods import pad_nas
from supernet.search import NSGA2
from supernet.search.frequent import DropRare
from supernet.train import CrossEntropy, Linear, Scaled, StrictFair, TrainPaths, Uniform, fit, sgd

DROP = DropRare(
    searcher=NSGA2(population=8),
    budget=16,
    rare=0.2,
    fronts=2,
    images=32,
    calibration=Calibration(images=32, batch_size=16),
)
TRIALS = {
    "pad_nas": lambda: on_digits(
        pad_nas(drop=DROP, rates=(1.0, 0.5, 0.5), weights=sgd(0.1)), operations_net(), steps=120
    ),
}
SHORT = {"drop": DROP, "epochs": (1, 1, 1)}
REFUSED_BY = {"few_shot", "gm_nas", "k_shot"}
ALTERNATIVES = {
    "sampler": StrictFair(),
    "drop": DropRare(high=600e6),
    "epochs": (60, 40, 20),
    "rates": (1.0, 0.5, 0.1),
    "label_smoothing": 0.0,
    "weights": sgd(0.1),
}
SETTINGS = {"sampler": Uniform(), "drop": DropRare(), "epochs": (120, 80, 40), "rates": (1.0, 0.2, 0.2)}
SMOOTHING = 0.1
NET = blocks_net


def test_the_stages_are_the_published_ones() -> None:
    recipe = pad_nas()
    assert [phase.share for phase in recipe.phases] == [120, 80, 40]
    assert [phase.enter for phase in recipe.phases] == [None, DropRare(), DropRare()]
    assert all(phase.restart for phase in recipe.phases)
    program = TrainPaths(sampler=Uniform(), objective=CrossEntropy(0.1))
    assert all(phase.program == program for phase in recipe.phases)
    fine = replace(recipe.weights, schedule=Scaled(0.2, Linear()))
    assert [phase.updates for phase in recipe.phases] == [{}, {"weights": fine}, {"weights": fine}]
    told = published(recipe.weights)
    assert (told["lr"], told["momentum"], told["weight_decay"], told["per"], told["end"]) == (0.5, 0.9, 4e-5, 1024, 0.0)
    drop = DropRare()
    assert drop.searcher == NSGA2(population=64)
    assert (drop.budget, drop.fronts, drop.rare, drop.cost) == (2560, 10, 0.01, "macs")


def test_the_space_shrinks_between_stages_and_paths_stay_in_it() -> None:
    net = blocks_net()
    seen: list[tuple[int, int]] = []

    class Sizes:
        every = 1

        def __call__(self, step: Any) -> dict[str, float]:
            seen.append((step.done, int(step.space.size)))
            return {}

    trained = train(pad_nas(drop=DROP, weights=sgd(0.05)), net=net, steps=12, monitors=[Sizes()])
    sizes = [size for _, size in seen]
    assert sizes[:6] == [81] * 6
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[6] < 81
    assert trained.space is not None
    assert trained.space.size == sizes[-1]


def test_everything_that_is_found_is_within_the_bounds() -> None:
    """The large convolutions are beyond the bound, so that none is found, and all are dropped."""
    net = blocks_net()
    net.input_shape = squares().shape
    stem, head, conv1, conv3 = 4 * 9 * 16, 16 * 10, 4 * 4 * 16, 4 * 4 * 9 * 16
    bound = float(stem + 4 * conv1 + head)
    assert bound < stem + conv3 + head
    trained = train(pad_nas(drop=replace(DROP, high=bound), weights=sgd(0.05)), net=net, steps=6)
    assert trained.space is not None
    assert all("conv3" not in trained.space.allowed(name) for name in net.space.names)


def test_bounds_that_nothing_meets_are_refused_before_the_training() -> None:
    net = blocks_net()
    net.input_shape = squares().shape
    before = [parameter.detach().clone() for parameter in net.parameters()]
    for bounds in ({"high": 1.0}, {"low": 1e12}):
        with pytest.raises(UsageError, match="macs"):
            train(pad_nas(drop=replace(DROP, **bounds)), net=net)
    assert all(torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"epochs": ()}, "give a length and a rate for each of at least one stage"),
        ({"rates": (1.0, 0.2)}, "give a length and a rate for each"),
        ({"rates": (1.0, 0.0, 0.2)}, "The factor on the learning rate of a stage"),
        ({"epochs": (120, -1, 40)}, "has a share of -1"),
    ],
)
def test_stages_that_cannot_be_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        pad_nas(**wrong)


def test_weights_go_on_from_stage_to_stage() -> None:
    """At a rate of almost nothing later stages leave what the first has learned as it is."""
    nets = [blocks_net(), blocks_net()]
    for net, epochs in zip(nets, ((4,), (4, 4)), strict=True):
        rates = (1.0, 1e-12)[: len(epochs)]
        recipe = pad_nas(drop=DROP, epochs=epochs, rates=rates, weights=sgd(0.1))
        fit(net, recipe, squares(), steps=sum(epochs), batch_size=16, accelerator="cpu", progress=False)
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)
    assert any(isinstance(module, nn.BatchNorm2d) for module in nets[0].modules())
