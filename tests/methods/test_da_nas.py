"""DA-NAS: more and more classes, fewer and fewer operations, and a price in the loss of α."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from method_trials import digits, moves, on_digits, published
from shifted_searches import blocks_net
from small_nets import operations_net
from supernet.data import EasiestClasses, FewerClasses
from supernet.errors import UsageError
from supernet.measure import NetEvaluator
from supernet.methods import da_nas
from supernet.train import (
    Bilevel,
    CrossEntropy,
    DropWeakest,
    ExpectedCost,
    GumbelSoftmax,
    Softmax,
    Strongest,
    Trained,
    adam,
    fit,
    sgd,
)

SHARES = (0.3, 0.6, 1.0)
ORDER = (6, 0, 4, 2, 7, 5, 3, 1, 9, 8)


def short(**options: Any) -> Any:
    told: dict[str, Any] = {"classes": SHARES, "warm_up": 5, "epochs": 10, "weights": sgd(0.1), "cost": None}
    return da_nas(**{**told, **options})


def accuracy(trained: Trained) -> float:
    """Of the architecture that is derived; the loss rises as classes are added."""
    assert trained.derived is not None
    return NetEvaluator(trained.net, digits()).evaluate(trained.derived, ["accuracy"])["accuracy"]


TRIALS = {
    "da_nas": lambda: replace(on_digits(short(order=ORDER), operations_net(), steps=120), measure=accuracy, least=0.35)
}
ALTERNATIVES = {
    "classes": (0.5, 1.0),
    "order": ORDER,
    "warm_up": 0,
    "epochs": 30,
    "drop": 0.5,
    "relaxation": GumbelSoftmax(),
    "cost": None,
    "label_smoothing": 0.0,
    "weights": sgd(0.1),
    "architecture": adam(1e-2),
}
SETTINGS = {
    "classes": (0.1, 0.3, 0.6, 1.0),
    "order": None,
    "warm_up": 10,
    "epochs": 20,
    "drop": 0.4,
    "relaxation": Softmax(),
    "cost": ExpectedCost(logarithm="whole", weight=0.1),
}
SMOOTHING = 0.1
SHORT = {"classes": (0.5, 1.0), "cost": None}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}


def trained_on_digits(recipe: Any, *, steps: int = 35, **options: Any) -> Trained:
    return fit(blocks_net(), recipe, digits(), steps=steps, batch_size=16, accelerator="cpu", progress=False, **options)


def test_the_stages_are_the_published_ones() -> None:
    recipe = da_nas()
    assert [(phase.name, phase.share) for phase in recipe.phases] == [
        ("warm-up", 10),
        ("stage 1", 20),
        ("stage 2", 20),
        ("stage 3", 20),
        ("stage 4", 20),
    ]
    assert [phase.data for phase in recipe.phases] == [
        EasiestClasses(0.1),
        EasiestClasses(0.1),
        EasiestClasses(0.3),
        EasiestClasses(0.6),
        None,
    ]
    assert [phase.enter for phase in recipe.phases] == [None, None, *[DropWeakest(share=0.4)] * 3]
    ends = [0, 1 / 9, 3 / 9, 5 / 9, 7 / 9, 1]
    assert [phase.part[0] for phase in recipe.phases] == pytest.approx(ends[:-1])
    assert [phase.part[1] for phase in recipe.phases] == pytest.approx(ends[1:])
    assert not any(phase.restart for phase in recipe.phases)
    programs = [phase.program for phase in recipe.phases]
    assert all(isinstance(program, Bilevel) for program in programs)
    assert [program.begin for program in programs] == [1.0, 0.0, 0.0, 0.0, 0.0]  # type: ignore[attr-defined]
    assert programs[1].objective == CrossEntropy(0.1)  # type: ignore[attr-defined]
    assert recipe.derive == Strongest()
    told = published(recipe.weights)
    assert (told["lr"], told["nesterov"], told["weight_decay"], told["end"]) == (0.025, True, 4e-5, 0.0)


def test_classes_grow_options_shrink_and_alpha_waits() -> None:
    """The size of the space after each step, and whether α has moved."""
    seen: list[tuple[int, bool]] = []

    class Watch:
        every = 1

        def __call__(self, step: Any) -> dict[str, float]:
            logits = [one.detach().clone() for one in step.parts["architecture"].logits]
            seen.append((int(step.space.size), any(bool(one.abs().max() > 0.01) for one in logits)))
            return {}

    trained = trained_on_digits(short(order=ORDER, architecture=adam(0.5)), monitors=[Watch()])
    assert [size for size, _ in seen] == [81] * 15 + [16] * 20, "⌊0.4 · 3⌋ = 1 goes, and then ⌊0.4 · 2⌋ = 0"
    assert [moved for _, moved in seen[:6]] == [False] * 5 + [True]
    assert trained.derived is not None
    assert trained.space is not None
    assert trained.derived in trained.space


def test_a_class_that_has_not_been_shown_yet_is_not_learned() -> None:
    """A classifier's bias of a class without images falls; that of the first ones does not."""
    recipe = short(order=ORDER, label_smoothing=0.0, weights=sgd(0.2, schedule=sgd(0.1).schedule))
    first = replace(recipe, program=recipe.phases[:2])
    whole = blocks_net()
    before = whole.get_parameter("module.5.3.bias").detach().clone()
    fit(whole, first, digits(), steps=15, batch_size=64, accelerator="cpu", progress=False)
    change = whole.get_parameter("module.5.3.bias").detach() - before
    assert (change[list(ORDER[3:])] < 0).all()
    assert change[list(ORDER[:3])].sum() > 0
    assert FewerClasses(ORDER[:3])(digits()).fingerprint() == recipe.phases[0].data(digits()).fingerprint()


def test_a_price_is_in_the_loss_of_alpha_alone() -> None:
    net = operations_net()
    net.input_shape = (1, 8, 8)
    recipe = replace(da_nas(warm_up=0, classes=(1.0,)), derive=Strongest())
    about, of_weights = moves(recipe, net)
    assert (about.updates, of_weights.updates) == ("architecture", "weights")
    assert about.paths[0].objective.terms[1].loss == ExpectedCost(logarithm="whole", weight=0.1)  # type: ignore[union-attr]
    assert of_weights.paths[0].objective == CrossEntropy(0.1)
    plain, _ = moves(replace(da_nas(warm_up=0, classes=(1.0,), cost=None)), net)
    assert plain.paths[0].objective == CrossEntropy()


def test_a_high_price_leaves_the_cheap_options() -> None:
    cheap = trained_on_digits(short(cost=ExpectedCost(logarithm="whole", weight=20.0), architecture=adam(0.1)))
    assert cheap.derived is not None
    assert set(cheap.derived.options().values()) == {"skip"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"classes": ()}, "give ascending ones of which the last is 1"),
        ({"classes": (0.5, 0.9)}, "give ascending ones of which the last is 1"),
        ({"classes": (0.5, 0.5, 1.0)}, "give ascending ones of which the last is 1"),
        ({"classes": (0.0, 1.0)}, "The share of the classes is 0.0"),
        ({"warm_up": -1}, "The warm-up is -1"),
        ({"drop": 1.0}, "The share of options that are dropped"),
        ({"epochs": 0}, "has a share of 0"),
    ],
)
def test_stages_that_cannot_be_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        da_nas(**wrong)


def test_one_class_is_refused_before_the_training() -> None:
    net = blocks_net()
    before = [parameter.detach().clone() for parameter in net.parameters()]
    with pytest.raises(UsageError, match=r"A share of 0.1 of the 10 classes of digits is 1; a network learns nothing"):
        fit(net, da_nas(cost=None), digits(), steps=9, batch_size=16, accelerator="cpu", progress=False)
    assert all(torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True))
