"""A network that is built anew at the beginning of a phase, and the options that stay."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from method_trials import train
from small_nets import executor, images, operations_net, step
from supernet import Supernet, zoo
from supernet.errors import RunError, UsageError
from supernet.space.restriction import Restriction
from supernet.train import Bilevel, Context, KeepStrongest, OptionLogits, Phase, RebuildNetwork, Recipe, Strongest, adam
from supernet.train.parametrisations.option_logits import option_logits
from supernet.train.updates import sgd


def cells() -> Supernet:
    return zoo.darts(channels=2, layers=3, nodes=1, stem_multiplier=1, in_channels=1, image_size=8)


def brought(net: Supernet, *logits: float) -> Context:
    part = OptionLogits(net)
    with torch.no_grad():
        for _, values in part.named():
            values.copy_(torch.tensor(logits))
    now = replace(step(net, parts={"architecture": part}), restriction=Restriction(net.space))
    return Context(now, executor(net, images()))


def test_the_strongest_options_stay_and_of_equal_ones_the_first_go() -> None:
    context = brought(operations_net(), 0.5, 0.5, -1.0)
    KeepStrongest(2)(context)
    assert context.restriction.space.allowed("block0") == ("conv3", "conv1")
    KeepStrongest(1)(context)
    assert context.restriction.space.allowed("block1") == ("conv1",)
    KeepStrongest(3)(context)
    assert context.restriction.space.size == 1, "what was forbidden does not come back"


def test_options_that_are_forbidden_do_not_count() -> None:
    context = brought(operations_net(), 3.0, 1.0, 2.0)
    context.restriction.allow("block0", ("conv1", "skip"))
    KeepStrongest(1)(context)
    assert context.restriction.space.allowed("block0") == ("skip",)
    assert context.restriction.space.allowed("block1") == ("conv3",)


def test_logits_that_are_not_finite_and_numbers_below_one_are_refused() -> None:
    with pytest.raises(RunError, match=r"'block0' are .*nan.*Lower the learning rate"):
        KeepStrongest(1)(brought(operations_net(), 0.0, float("nan"), 0.0))
    with pytest.raises(UsageError, match="keep at least 1"):
        KeepStrongest(0)


def rebuilding(**options: int) -> Recipe:
    phases = tuple(
        Phase(name=name, share=1, program=Bilevel(), enter=enter)
        for name, enter in (("one", None), ("two", RebuildNetwork(options=options, keep=KeepStrongest(2))))
    )
    parts = {"architecture": option_logits(adam(0.1))}
    return Recipe(name="rebuilding", program=phases, weights=sgd(0.1), parts=parts, derive=Strongest())


def test_the_network_grows_and_what_is_learned_begins_anew() -> None:
    trained = train(rebuilding(layers=5), net=cells(), steps=4)
    assert len(trained.net.module.cells) == 5  # type: ignore[arg-type]
    assert trained.space is not None
    assert {len(trained.space.allowed(name)) for name in trained.space.names} == {2}
    assert trained.derived in trained.space
    logits = torch.cat([p.detach() for p in trained.parts["architecture"].parameters()])
    kept = torch.cat([torch.as_tensor(Restriction(trained.space).mask(n)) for n in trained.space.names])
    assert logits[~kept].abs().max() < 0.01, "two steps of Adam would have moved them by 0.2"
    assert logits[kept].abs().max() > 0.05
    assert json.dumps(trained.recipe.describe())


@pytest.mark.parametrize(
    ("net", "options", "said"),
    [
        (operations_net, {"layers": 5}, "built anew with {'layers': 5} along the way, but Sequential has no method"),
        (cells, {"layers": 2}, "a network needs 3 cells"),
        (cells, {"cells": 5}, "cannot be built anew with another 'cells'"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused_before_the_training(
    net: object, options: dict[str, int], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stepped(*_: object) -> None:
        raise AssertionError("a step was done")

    monkeypatch.setattr("supernet.train.loop.Loop.run", stepped)
    with pytest.raises(UsageError, match=said):
        train(rebuilding(**options), net=net(), steps=4)  # type: ignore[operator]
