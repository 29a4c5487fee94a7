"""Architecture parameters, mixtures and derivation."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import nn

from small_nets import elastic_net, executor, images, operations_net, relaxed, step
from supernet import Choice, ElasticConv2d, OpChoice, Supernet
from supernet.errors import UsageError
from supernet.space.restriction import Restriction
from supernet.train import Bilevel, Context, OptionLogits, Softmax, Strongest


@cache
def shared_net() -> Supernet:
    return operations_net()


def learned(**logits: list[float]) -> OptionLogits:
    architecture = OptionLogits(shared_net())
    with torch.no_grad():
        for choice, parameter in zip(architecture.choices, architecture.logits, strict=True):
            parameter.copy_(torch.tensor(logits[choice.name]))
    return architecture


def test_logits_are_small_normal_and_decided_by_the_seed() -> None:
    blocks = [OpChoice(f"b{i}", {f"o{k}": nn.Identity() for k in range(8)}) for i in range(200)]
    net = Supernet(nn.Sequential(*blocks))
    logits = torch.stack(list(OptionLogits(net, scale=1e-3).logits))
    assert logits.shape == (200, 8)
    assert logits.std().item() == pytest.approx(1e-3, rel=0.1)
    assert abs(logits.mean().item()) < 1e-4
    again, other = (torch.stack(list(OptionLogits(net, seed=seed).logits)) for seed in (0, 1))
    assert torch.equal(logits, again)
    assert not torch.equal(logits, other)


def test_softmax_divides_by_the_temperature() -> None:
    architecture = learned(block0=[0.0, 1.0, 2.0], block1=[0.0, 0.0, 0.0])
    for temperature in (0.5, 1.0, 5.0):
        weights = relaxed(Softmax(temperature), step(shared_net(), parts={"architecture": architecture}))[
            "block0"
        ].weights
        odds = [1.0, torch.e ** (1 / temperature), torch.e ** (2 / temperature)]
        assert weights.tolist() == pytest.approx([odd / sum(odds) for odd in odds], rel=1e-5)
    cold = relaxed(Softmax(0.01), step(shared_net(), parts={"architecture": architecture}))["block0"].weights
    assert cold.tolist() == pytest.approx([0, 0, 1])
    trained = Bilevel(relaxation=Softmax(0.5)).probabilities({"architecture": architecture})["block0"]
    assert trained.tolist() == pytest.approx(torch.tensor([0.0, 2.0, 4.0]).softmax(0).tolist()), "as it was trained"
    assert architecture.probabilities(Softmax())["block1"].tolist() == pytest.approx([1 / 3] * 3)


def test_a_mixture_is_the_weighted_sum_of_its_operations() -> None:
    net = copy.deepcopy(shared_net()).eval()
    architecture = learned(block0=[0.3, -0.2, 0.1], block1=[0.0, 0.0, 100.0])
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    seen = []
    block = next(m for m in net.modules() if isinstance(m, OpChoice))
    block.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0], output)))
    net(x, relaxed(Softmax(), step(net, parts={"architecture": architecture})))
    (inside, out) = seen[0]
    weights = torch.tensor([0.3, -0.2, 0.1]).softmax(0)
    expected = sum(w * op(inside) for w, op in zip(weights, block.candidates.values(), strict=True))
    torch.testing.assert_close(out, expected)


def test_strongest_takes_the_largest_logit_that_is_allowed() -> None:
    architecture = learned(block0=[0.0, 1.0, 2.0], block1=[5.0, 1.0, 2.0])
    now = replace(step(shared_net(), parts={"architecture": architecture}), restriction=Restriction(shared_net().space))
    context = Context(now, executor(shared_net(), images()))
    assert Strongest().derive(context).options() == {"block0": "skip", "block1": "conv3"}
    without = Strongest(exclude=("skip", "conv3"))
    assert without.derive(context).options() == {"block0": "conv1", "block1": "conv1"}
    context.restriction.allow("block0", ("conv3", "conv1"))
    assert Strongest().derive(context).options() == {"block0": "conv1", "block1": "conv3"}
    context.restriction.decide("block1", "skip")
    with pytest.raises(UsageError, match="Every option that is left of 'block1' is excluded"):
        without.derive(context)


def test_exclusions_that_cannot_work_are_refused_before_training() -> None:
    with pytest.raises(UsageError, match="'none' is to be excluded, but no choice"):
        Strongest(exclude=("none",)).check(shared_net())
    with pytest.raises(UsageError, match=r"There are 'conv3', 'conv1', 'skip'. Did you mean 'skip'"):
        Strongest(exclude=("skipp",)).check(shared_net())
    with pytest.raises(UsageError, match="Every option of 'block0' is excluded"):
        Strongest(exclude=("conv1", "conv3", "skip")).check(shared_net())
    Strongest(exclude=("skip",)).check(shared_net())


def test_sizes_cannot_be_mixed() -> None:
    with pytest.raises(UsageError, match=r"'width', .*'depth'.* cannot be mixed"):
        OptionLogits(elastic_net())
    shared = Choice("shared", (4, 8))
    block = OpChoice(shared, {4: nn.Identity(), 8: nn.Identity()})
    with pytest.raises(UsageError, match="'shared'"):
        OptionLogits(Supernet(nn.Sequential(block, ElasticConv2d(3, shared))))


def test_a_relaxation_without_parameters_is_refused() -> None:
    with pytest.raises(UsageError, match="makes decisions from a part 'architecture', but the recipe has none"):
        relaxed(Softmax(), step(shared_net()))
    with pytest.raises(UsageError, match="must be a finite number above 0"):
        Softmax(0.0)
