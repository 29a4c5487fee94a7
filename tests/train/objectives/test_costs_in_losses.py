"""Losses that an expected cost multiplies, or is added to."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from small_nets import images, operations_net, step
from supernet import Supernet
from supernet.errors import UsageError
from supernet.nn import Decisions, Mixture
from supernet.nn.output import Output
from supernet.train import CrossEntropy, ExpectedCost, Outcome, Path, PlusCost, TimesCost
from supernet.train.alone import alone

MACS = ExpectedCost("macs")


@pytest.fixture(scope="module")
def net() -> Supernet:
    found = operations_net()
    found.input_shape = (1, 8, 8)
    return found


def outcome(net: Supernet, decisions: Decisions) -> Outcome:
    batch = next(images().train.batches(4))
    logits = torch.randn(len(batch.y), 10, generator=torch.Generator().manual_seed(0)).requires_grad_()
    return Outcome(Output(logits), batch, step(net), path=Path(decisions, CrossEntropy()))


def mixed() -> tuple[Decisions, torch.Tensor]:
    weights = torch.tensor([0.2, 0.3, 0.5], requires_grad=True)
    return Decisions({"block0": Mixture(weights), "block1": 0}), weights


def test_the_multiplied_loss_and_its_gradients(net: Supernet) -> None:
    decisions, weights = mixed()
    seen = outcome(net, decisions)
    loss, cost = CrossEntropy()(seen), MACS(seen)
    found = TimesCost(MACS, reference=5000.0)(seen)
    factor = 0.2 * (math.log(cost.item()) / math.log(5000)) ** 0.3
    assert found.item() == pytest.approx(loss.item() * factor, rel=1e-5)
    (slope,) = torch.autograd.grad(found, weights, retain_graph=True)
    (of_cost,) = torch.autograd.grad(cost, weights, retain_graph=True)
    expected = found.item() * 0.3 / (cost.item() * math.log(cost.item())) * of_cost
    torch.testing.assert_close(slope, expected, rtol=1e-4, atol=1e-8)
    (logits,) = torch.autograd.grad(found, seen.logits, retain_graph=True)
    (plain,) = torch.autograd.grad(loss, seen.logits)
    torch.testing.assert_close(logits, factor * plain)
    at_reference = TimesCost(MACS, reference=cost.item(), scale=2.0, exponent=1.5)(seen)
    assert at_reference.item() == pytest.approx(2 * loss.item(), rel=1e-5)


def test_the_added_cost_and_its_gradients(net: Supernet) -> None:
    decisions, weights = mixed()
    seen = outcome(net, decisions)
    loss, cost = CrossEntropy()(seen), MACS(seen)
    found = PlusCost(MACS, reference=5000.0)(seen)
    assert found["loss"].item() == loss.item()
    assert found["cost/macs"].item() == pytest.approx(0.1 * (cost.item() - 5000) / 5000, rel=1e-5)
    (slope,) = torch.autograd.grad(found["cost/macs"], weights, retain_graph=True)
    (of_cost,) = torch.autograd.grad(cost, weights)
    torch.testing.assert_close(slope, 0.1 / 5000 * of_cost)


@pytest.mark.parametrize("kind", [TimesCost, PlusCost])
def test_alone_there_is_no_price(kind: Any) -> None:
    assert alone(kind(MACS, 100.0, objective=CrossEntropy(0.1))) == CrossEntropy(0.1)
    assert kind(MACS, 100.0).chance(10) is None


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: TimesCost(MACS, 1.0), "reference of a cost whose logarithm"),
        (lambda: TimesCost(MACS, 80.0, scale=0.0), "factor on the loss"),
        (lambda: TimesCost(MACS, 80.0, exponent=-1.0), "exponent of the cost"),
        (lambda: TimesCost(ExpectedCost("macs", logarithm="whole"), 80.0), "without logarithm"),
        (lambda: PlusCost(MACS, 0.0), "reference of a cost"),
        (lambda: PlusCost(MACS, 80.0, scale=-0.1), "factor on the cost"),
    ],
)
def test_what_makes_no_sense_is_refused(made: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        made()
