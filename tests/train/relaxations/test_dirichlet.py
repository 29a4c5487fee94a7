"""Dirichlet mixtures against the moments, and the derivatives of the moments, of the distribution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from small_nets import operations_net, step
from supernet import Supernet
from supernet.space.restriction import Restriction
from supernet.train import Dirichlet
from supernet.train.relaxations._protocol import Given
from supernet.train.relaxations.dirichlet import concentration

LOGITS = torch.tensor([1.5, -0.7, 0.2])
BETA = np.array([2.5, np.exp(-0.7), 1.2])
DRAWS = 700


@pytest.fixture(scope="module")
def drawn() -> tuple[Tensor, Tensor]:
    """(N, 3) samples at N steps, and (3, 3) the mean over them of the derivatives of each weight by each logit."""
    net, samples, slopes = operations_net(), [], torch.zeros(3, 3)
    for index in range(DRAWS):
        logits = LOGITS.clone().requires_grad_()
        weights = Dirichlet().mixture(logits, Given(step(net, index), "block0", "weights")).weights
        samples.append(weights.detach())
        for option in range(3):
            (slope,) = torch.autograd.grad(weights[option], logits, retain_graph=True)
            slopes[option] += slope / DRAWS
    return torch.stack(samples), slopes


def test_the_concentration_is_elu_and_one() -> None:
    found = concentration(LOGITS)
    np.testing.assert_allclose(found.numpy(), BETA, rtol=1e-6)
    assert concentration(torch.zeros(3)).tolist() == [1, 1, 1]
    assert concentration(torch.tensor([-1e4]))[0] > 0


def test_samples_have_the_mean_and_the_spread_of_the_distribution(drawn: tuple[Tensor, Tensor]) -> None:
    samples, total = drawn[0].numpy(), BETA.sum()
    mean = BETA / total
    np.testing.assert_allclose(samples.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(samples.mean(axis=0), mean, atol=0.03)
    np.testing.assert_allclose(samples.std(axis=0), np.sqrt(mean * (1 - mean) / (total + 1)), rtol=0.1)
    np.testing.assert_allclose(Dirichlet().probabilities(LOGITS).numpy(), mean, rtol=1e-5)


def test_the_gradient_is_on_average_that_of_the_mean(drawn: tuple[Tensor, Tensor]) -> None:
    """∂ E[θᵢ] / ∂ xⱼ = (δᵢⱼ − mᵢ) / Σβ · ELU′(xⱼ)."""
    total, slope = BETA.sum(), np.where(LOGITS.numpy() > 0, 1, np.exp(LOGITS.numpy()))
    expected = (np.eye(3) - (BETA / total)[:, None]) / total * slope
    np.testing.assert_allclose(drawn[1].numpy(), expected, atol=0.025)
    assert np.abs(expected).max() > 0.1


def test_uses_steps_and_choices_have_samples_of_their_own_and_torch_is_untouched() -> None:
    net = operations_net()

    def sample(index: int, name: str, use: str) -> Tensor:
        return Dirichlet().mixture(LOGITS, Given(step(net, index), name, use)).weights

    before = torch.get_rng_state()
    first = sample(3, "block0", "weights")
    others = [sample(4, "block0", "weights"), sample(3, "block1", "weights"), sample(3, "block0", "architecture")]
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, sample(3, "block0", "weights"))
    assert not any(torch.equal(first, other) for other in others)


def restricted(net: Supernet, index: int) -> Given:
    restriction = Restriction(net.space)
    restriction.allow("block0", ("conv3", "skip"))
    return Given(replace(step(net, index), restriction=restriction), "block0", "weights")


def test_pruned_options_have_no_weight_and_the_others_keep_their_proportions() -> None:
    """The weight of the first of two is Beta(β₀, β₂) distributed."""
    net, logits = operations_net(), LOGITS.clone().requires_grad_()
    mixtures = [Dirichlet().mixture(logits, restricted(net, index)) for index in range(300)]
    assert mixtures[0].run == (0, 2)
    samples = torch.stack([mixture.weights.detach() for mixture in mixtures]).numpy()
    assert (samples[:, 1] == 0).all()
    np.testing.assert_allclose(samples.sum(axis=1), 1, atol=1e-5)
    a, b = BETA[0], BETA[2]
    assert samples[:, 0].mean() == pytest.approx(a / (a + b), abs=0.04)
    assert samples[:, 0].std() == pytest.approx(np.sqrt(a * b / ((a + b) ** 2 * (a + b + 1))), rel=0.15)
    (slope,) = torch.autograd.grad(mixtures[0].weights[0], logits)
    assert slope[1] == 0
    assert slope[0] > 0 > slope[2]


def test_samples_of_tiny_concentrations_are_finite() -> None:
    logits = torch.tensor([-50.0, -60.0, -40.0], requires_grad=True)
    net = operations_net()
    for index in range(20):
        weights = Dirichlet().mixture(logits, Given(step(net, index), "block0", "weights")).weights
        (slope,) = torch.autograd.grad(weights[0], logits)
        assert torch.isfinite(weights).all()
        assert torch.isfinite(slope).all()
        assert weights.sum().item() == pytest.approx(1)
