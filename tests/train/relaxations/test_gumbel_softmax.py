"""Samples of the concrete distribution."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from small_nets import operations_net, step
from supernet import Supernet
from supernet.errors import UsageError
from supernet.space.restriction import Restriction
from supernet.train import GumbelSoftmax, Ramp
from supernet.train.relaxations._protocol import Given

LOGITS = torch.tensor([1.4, 0.7, 2.1])


@pytest.fixture(scope="module")
def net() -> Supernet:
    return operations_net()


def given(net: Supernet, index: int = 0, total: int = 10) -> Given:
    return Given(step(net, index, total=total), "block0", "weights")


def test_the_heaviest_option_is_as_often_each_as_the_softmax_says(net: Supernet) -> None:
    heaviest = [int(GumbelSoftmax(3.0).mixture(LOGITS, given(net, i)).weights.argmax()) for i in range(1200)]
    expected = 1200 * LOGITS.double().softmax(0)
    counts = [heaviest.count(option) for option in range(3)]
    assert stats.chisquare(counts, expected.tolist()).pvalue > 1e-3
    torch.testing.assert_close(GumbelSoftmax(3.0).probabilities(LOGITS), LOGITS.softmax(0))


def test_two_options_are_shared_as_the_binary_concrete_distribution_says(net: Supernet) -> None:
    """P(weight of the first ≤ x) = σ(λ · logit(x) − (α₁ − α₂))."""
    logits, temperature = torch.tensor([0.6, 0.0]), 0.7
    shares = [float(GumbelSoftmax(temperature).mixture(logits, given(net, i)).weights[0]) for i in range(1500)]

    def below(x: float) -> float:
        x = min(max(x, 1e-12), 1 - 1e-12)
        return 1 / (1 + math.exp(-(temperature * math.log(x / (1 - x)) - 0.6)))

    assert stats.kstest(shares, lambda xs: np.asarray([below(float(x)) for x in xs])).pvalue > 1e-3


def test_weights_are_a_distribution_that_turns_one_hot_as_it_grows_cold(net: Supernet) -> None:
    for index in range(20):
        soft, cold = (GumbelSoftmax(t).mixture(LOGITS, given(net, index)).weights for t in (1.0, 1e-3))
        assert soft.sum().item() == pytest.approx(1.0, abs=1e-6)
        assert cold.max().item() > 0.999
        assert soft.argmax() == cold.argmax()
        assert soft.max() < 1


def test_the_temperature_may_change_over_time(net: Supernet) -> None:
    for index, temperature in ((0, 1.0), (9, 0.03)):
        found = GumbelSoftmax(Ramp(1.0, 0.03)).mixture(LOGITS, given(net, index)).weights
        assert torch.equal(found, GumbelSoftmax(temperature).mixture(LOGITS, given(net, index)).weights)


def test_options_that_are_forbidden_weigh_nothing(net: Supernet) -> None:
    restriction = Restriction(net.space)
    restriction.allow("block0", ("conv3", "skip"))
    asked = given(net)
    asked = asked._replace(step=replace(asked.step, restriction=restriction))
    logits = LOGITS.clone().requires_grad_()
    weights, run = GumbelSoftmax().mixture(logits, asked)
    assert run == (0, 2)
    assert weights[1] == 0
    assert weights.sum().item() == pytest.approx(1.0)
    weights[0].backward()
    assert logits.grad is not None
    assert logits.grad[1] == 0
    assert logits.grad[0] > 0 > logits.grad[2]


def test_temperatures_are_positive() -> None:
    with pytest.raises(UsageError, match="must be a finite number above 0"):
        GumbelSoftmax(0.0)
