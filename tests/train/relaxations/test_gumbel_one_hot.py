"""Gumbel-max draws: as often as the softmax says, exactly one-hot, with the gradient of the soft sample."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from scipy import stats
from torch import Tensor

from small_nets import operations_net, step
from supernet import Supernet
from supernet.errors import UsageError
from supernet.space.restriction import Restriction
from supernet.train import GumbelOneHot, Ramp
from supernet.train.relaxations._protocol import Given

LOGITS = (0.4, -0.3, 1.1)


@pytest.fixture(scope="module")
def net() -> Supernet:
    return operations_net()


def given(net: Supernet, index: int = 0, *, use: str = "weights", name: str = "block0", total: int = 10) -> Given:
    return Given(step(net, index, total=total), name, use)


def without(net: Supernet, option: str) -> Given:
    """The first block may not take this option."""
    restriction = Restriction(net.space)
    restriction.allow("block0", [one for one in net.space.choices[0].options if one != option])
    asked = given(net)
    return asked._replace(step=replace(asked.step, restriction=restriction))


def soft(asked: Given, temperature: float) -> Tensor:
    """softmax((log p + G) / τ), from the definition G = −log(−log U), −log U being exponential."""
    with asked.seeded():
        waits = torch.empty(3, dtype=torch.float64).exponential_()
    log_p = [logit - math.log(sum(math.exp(other) for other in LOGITS)) for logit in LOGITS]
    odds = [math.exp((a - math.log(wait)) / temperature) for a, wait in zip(log_p, waits.tolist(), strict=True)]
    return torch.tensor([odd / sum(odds) for odd in odds])


@pytest.mark.parametrize("temperature", [0.1, 10.0])
def test_options_are_drawn_as_often_as_the_softmax_says(net: Supernet, temperature: float) -> None:
    logits, relaxation = torch.tensor(LOGITS), GumbelOneHot(temperature)
    drawn = [int(relaxation.mixture(logits, given(net, index)).weights.argmax()) for index in range(1200)]
    expected = [1200 * math.exp(a) / sum(map(math.exp, LOGITS)) for a in LOGITS]
    assert stats.chisquare([drawn.count(option) for option in range(3)], expected).pvalue > 1e-3
    assert relaxation.probabilities(logits).tolist() == pytest.approx([count / 1200 for count in expected])


def test_choices_and_uses_and_steps_draw_independently(net: Supernet) -> None:
    logits = torch.zeros(3)

    def drawn(index: int, **other: str) -> int:
        return int(GumbelOneHot().mixture(logits, given(net, index, **other)).weights.argmax())

    first = [drawn(index) for index in range(500)]
    assert first == [drawn(index) for index in range(500)]
    for other in ({"use": "architecture"}, {"name": "block1"}):
        second = [drawn(index, **other) for index in range(500)]
        table = [[sum(pair == (a, b) for pair in zip(first, second, strict=True)) for b in range(3)] for a in range(3)]
        assert stats.chi2_contingency(table).pvalue > 1e-3
    following = [[sum(pair == (a, b) for pair in pairwise(first)) for b in range(3)] for a in (0, 1)]
    assert stats.chi2_contingency(following).pvalue > 1e-3


def test_torch_s_own_generator_is_left_alone(net: Supernet) -> None:
    before = torch.get_rng_state()
    GumbelOneHot().mixture(torch.zeros(3), given(net))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("temperature", [0.03, 1.0, 10.0])
def test_the_sample_is_exactly_one_hot(net: Supernet, temperature: float) -> None:
    for index in range(50):
        asked = given(net, index)
        weights, run = GumbelOneHot(temperature).mixture(torch.tensor(LOGITS), asked)
        assert sorted(weights.tolist()) == [0.0, 0.0, 1.0]
        assert run == (int(weights.argmax()),) == (int(soft(asked, temperature).argmax()),)
        assert GumbelOneHot(temperature, run="all").mixture(torch.tensor(LOGITS), asked).run is None


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_the_gradient_is_that_of_the_soft_sample(net: Supernet, temperature: float) -> None:
    """Of L = Σ cₒ hₒ: ∂L/∂αⱼ = sⱼ (cⱼ − Σ cᵢ sᵢ) / τ."""
    cost = torch.tensor([1.0, -2.0, 0.5])
    for index in range(5):
        asked, logits = given(net, index), torch.tensor(LOGITS, requires_grad=True)
        (cost * GumbelOneHot(temperature).mixture(logits, asked).weights).sum().backward()
        s = soft(asked, temperature)
        expected = s * (cost - (cost * s).sum()) / temperature
        assert expected.abs().min() > 1e-4
        assert logits.grad is not None
        torch.testing.assert_close(logits.grad, expected, rtol=1e-4, atol=1e-6)


def test_the_temperature_may_change_over_time(net: Supernet) -> None:
    cost = torch.tensor([1.0, -2.0, 0.5])
    for index, temperature in ((0, 10.0), (4, 10.0 - 9.9 * 4 / 9), (9, 0.1)):
        gradients = []
        for relaxation in (GumbelOneHot(Ramp(10.0, 0.1)), GumbelOneHot(temperature)):
            logits = torch.tensor(LOGITS, requires_grad=True)
            (cost * relaxation.mixture(logits, given(net, index)).weights).sum().backward()
            gradients.append(logits.grad)
        torch.testing.assert_close(*gradients)


def test_options_that_are_forbidden_are_never_drawn_and_learn_nothing(net: Supernet) -> None:
    asked = without(net, "skip")
    forbidden = net.space.choices[0].position("skip")
    drawn = set()
    for index in range(60):
        at = asked._replace(step=replace(asked.step, index=index))
        logits = torch.tensor([0.0, 0.0, 0.0], requires_grad=True)
        with torch.no_grad():
            logits[forbidden] = 5.0
        weights, run = GumbelOneHot(2.0).mixture(logits, at)
        (torch.tensor([1.0, -2.0, 0.5]) * weights).sum().backward()
        assert logits.grad is not None
        assert torch.isfinite(logits.grad).all()
        assert logits.grad[forbidden] == 0
        assert logits.grad.abs().sum() > 0
        drawn.add(run)
    assert drawn == {(option,) for option in range(3) if option != forbidden}
    assert GumbelOneHot(run="all").mixture(logits, asked).run == tuple(o for o in range(3) if o != forbidden)


def test_noise_is_finite_even_where_a_draw_is_zero(net: Supernet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "exponential_", lambda self: self.zero_())
    logits = torch.tensor(LOGITS, requires_grad=True)
    weights = GumbelOneHot(0.1).mixture(logits, given(net)).weights
    weights[0].backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert weights.tolist() == [0.0, 0.0, 1.0]


def test_what_makes_no_sense_is_refused() -> None:
    for temperature in (0.0, Ramp(10.0, 0.0)):
        with pytest.raises(UsageError, match="must be a finite number above 0"):
            GumbelOneHot(temperature)
    with pytest.raises(UsageError, match="'drawn' option is computed or 'all' are; got 'some'"):
        GumbelOneHot(run="some")  # type: ignore[arg-type]
