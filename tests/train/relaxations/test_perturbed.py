"""Noisy mixtures against the same noise applied by hand, and against simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from small_nets import operations_net, step
from supernet.errors import UsageError
from supernet.space.restriction import Restriction
from supernet.train import Ramp, Softmax, Step
from supernet.train.relaxations._protocol import Given
from supernet.train.relaxations.perturbed import Perturbed, shares_of

LOGITS = torch.tensor([0.4, -0.3, 0.1])


def weights(rule: Perturbed, now: Step, use: str = "weights") -> Tensor:
    return rule.mixture(LOGITS, Given(now, "block0", use)).weights


def test_noise_is_added_to_the_weights_and_shares_are_made_of_them() -> None:
    now, radius = step(operations_net(), 3), 0.2
    with now.seeded("weights, perturbed block0"):
        noise = (2 * torch.rand(3) - 1).numpy() * radius
    clean = np.exp(LOGITS.numpy()) / np.exp(LOGITS.numpy()).sum()
    noisy = np.clip(clean + noise, 0, 1)
    found = weights(Perturbed(Softmax(), radius), now).numpy()
    np.testing.assert_allclose(found, noisy / noisy.sum(), atol=1e-6)
    assert np.abs(found - clean).max() > 0.01


def test_over_many_steps_the_noise_is_uniform() -> None:
    """Mean and spread of each weight are those of a simulation with NumPy."""
    net, radius = operations_net(), 0.25
    found = np.stack([weights(Perturbed(Softmax(), radius), step(net, index)).numpy() for index in range(600)])
    clean = np.exp(LOGITS.numpy()) / np.exp(LOGITS.numpy()).sum()
    simulated = np.clip(clean + np.random.default_rng(7).uniform(-radius, radius, (100_000, 3)), 0, 1)
    simulated /= simulated.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.mean(axis=0), simulated.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(found.std(axis=0), simulated.std(axis=0), rtol=0.1)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert found.min() >= 0


def test_the_radius_grows_over_the_training() -> None:
    net = operations_net()
    rule = Perturbed(Softmax(), Ramp(0.01, 0.3))
    spread = [
        np.std([weights(rule, replace(step(net, index, total=11), seed=seed))[0].item() for seed in range(100)])
        for index in (0, 5, 10)
    ]
    assert 0 < spread[0] < 0.01
    assert 5 * spread[0] < spread[1] < spread[2] / 1.5


def test_uses_and_choices_have_noise_of_their_own_and_torch_is_untouched() -> None:
    now, rule = step(operations_net()), Perturbed(Softmax(), 0.2)
    before = torch.get_rng_state()
    one, again, other_use = weights(rule, now), weights(rule, now), weights(rule, now, "other")
    other_choice = rule.mixture(LOGITS, Given(now, "block1", "weights")).weights
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one, again)
    assert not torch.equal(one, other_use)
    assert not torch.equal(one, other_choice)


def test_options_that_are_not_allowed_stay_without_weight() -> None:
    net = operations_net()
    restriction = Restriction(net.space)
    restriction.allow("block0", ("conv3", "skip"))
    mixture = Perturbed(Softmax(), 0.3).mixture(
        LOGITS, Given(replace(step(net), restriction=restriction), "block0", "weights")
    )
    assert mixture.run == (0, 2)
    assert mixture.weights[1] == 0
    assert mixture.weights.sum().item() == pytest.approx(1)


def test_the_weights_have_no_gradient() -> None:
    logits = LOGITS.clone().requires_grad_()
    assert not Perturbed().mixture(logits, Given(step(operations_net()), "block0", "weights")).weights.requires_grad


def test_shares_of_nothing_go_to_the_largest() -> None:
    assert shares_of(torch.tensor([-0.2, -0.1, -0.3])).tolist() == [0, 1, 0]
    assert shares_of(torch.tensor([-0.2, 0.9, -0.3]), (0, 2)).tolist() == [1, 0, 0]


def test_a_negative_radius_is_refused() -> None:
    for radius in (-0.1, Ramp(0.1, -0.1)):
        with pytest.raises(UsageError, match="radius of the perturbation"):
            Perturbed(Softmax(), radius)
