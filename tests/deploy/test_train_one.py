"""One architecture trained for use: where it starts, how it is trained, and that a killed retraining goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from shifted_searches import same, weights
from small_nets import images, operations_net, plain_net, sgd
from supernet import Supernet, deploy
from supernet.deploy import retrained
from supernet.errors import UsageError
from supernet.methods import dynas, sandwich
from supernet.train import Linear, Recipe, TrainPaths, Uniform

PLAIN = Recipe(name="plain", program=TrainPaths(sampler=Uniform()), weights=sgd(0.1))


def train(net: Any, steps: int, **options: Any) -> Supernet:
    arch = options.pop("arch", None) or operations_net().space.largest()
    given: dict[str, Any] = {"recipe": PLAIN, "batch_size": 16, "accelerator": "cpu", "progress": False} | options
    return retrained(net, arch, images(), steps=steps, **given)


def test_the_steps_are_those_of_sgd_on_the_one_architecture() -> None:
    net = plain_net()
    arch = net.space.smallest()
    found = train(net, 5, arch=arch, start="inherited", seed=3)
    own = plain_net().train()
    stream = images().train.stream(16, seed=3)
    for _ in range(5):
        x, y = next(stream)
        parameters = list(own.parameters())
        found_gradient = torch.autograd.grad(F.cross_entropy(own(x, arch), y), parameters, allow_unused=True)
        with torch.no_grad():
            for parameter, g in zip(parameters, found_gradient, strict=True):
                if g is not None:
                    parameter.sub_(g, alpha=0.1)
    for mine, other in zip(found.parameters(), own.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)
    assert same(weights(net), weights(plain_net())), "what was given is left as it is"


def test_where_it_starts() -> None:
    net = operations_net(seed=4)
    slow = Recipe(name="slow", program=TrainPaths(sampler=Uniform()), weights=sgd(1e-9))
    first = "module.0.weight"

    def began(given: Any, **options: Any) -> torch.Tensor:
        return weights(train(given, 1, recipe=slow, **options))[first]

    near: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(began(net, start="inherited"), weights(net)[first], **near)
    torch.testing.assert_close(began(lambda: operations_net(seed=7)), weights(operations_net(seed=7))[first], **near)
    drawn = [began(net, seed=seed) for seed in (0, 0, 1)]
    torch.testing.assert_close(drawn[0], drawn[1])
    assert not torch.allclose(drawn[0], drawn[2], atol=1e-3)
    assert not torch.allclose(drawn[0], weights(net)[first], atol=1e-3)


def test_killed_and_resumed(tmp_path: Path) -> None:
    whole = train(operations_net(), 12)
    for stop in (1, 7, 12):
        out = tmp_path / f"{stop}"
        train(operations_net(), 12, out=out, stop_after=stop)
        assert same(weights(train(operations_net(), 12, out=out, resume=True)), weights(whole))
    with pytest.raises(UsageError, match="different training"):
        train(operations_net(), 12, out=out, resume=True, arch=operations_net().space.smallest())


def test_from_inherited_weights_the_default_is_sgd_at_a_lower_rate() -> None:
    net = operations_net()
    found = train(net, 3, start="inherited", recipe=None)
    assert same(weights(found), weights(train(net, 3, start="inherited", recipe=deploy.plain_sgd(0.01))))
    assert not same(weights(found), weights(train(net, 3, start="inherited", recipe=deploy.plain_sgd(0.05))))


def test_the_objective_of_a_recipe_is_kept() -> None:
    """Alone, in-place distillation has no teacher and learns from the labels."""
    recipe = sandwich(label_smoothing=0.3)
    smoothed = train(operations_net(), 2, recipe=recipe)
    plain = train(operations_net(), 2, recipe=sandwich(label_smoothing=0.0))
    assert not same(weights(smoothed), weights(plain))


def test_what_tells_subnets_apart_does_not_act_on_one_alone() -> None:
    recipe = dynas().with_weights(lr=0.1, per=None)
    linear = replace(recipe, weights=replace(recipe.weights, schedule=Linear(), states=None))
    assert same(weights(train(operations_net(), 3, recipe=recipe)), weights(train(operations_net(), 3, recipe=linear)))


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="start='nowhere' does not exist"):
        train(operations_net(), 1, start="nowhere")
    with pytest.raises(UsageError, match="has no weights to inherit"):
        train(operations_net, 1, start="inherited")
