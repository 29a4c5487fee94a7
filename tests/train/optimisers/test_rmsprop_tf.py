"""TensorFlow's RMSprop against its recursion, and against torch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from supernet.errors import UsageError
from supernet.train import RMSprop, RMSpropTF

START = np.array([1.0, -2.0, 0.5])


def steps(optimiser: RMSprop | RMSpropTF, gradients: np.ndarray, rates: list[float]) -> list[np.ndarray]:
    parameter = nn.Parameter(torch.tensor(START))
    made, found = optimiser([{"params": [parameter]}]), []
    for gradient, rate in zip(gradients, rates, strict=True):
        made.param_groups[0]["lr"] = rate
        parameter.grad = torch.tensor(gradient)
        made.step()
        found.append(parameter.detach().numpy().copy())
    return found


def test_steps_are_those_of_the_recursion() -> None:
    rng = np.random.default_rng(0)
    gradients, rates = rng.normal(size=(6, 3)), [0.3, 0.3, 0.1, 0.1, 0.05, 0.05]
    found = steps(RMSpropTF(lr=0.3, alpha=0.8, momentum=0.7, eps=0.01, weight_decay=0.1), gradients, rates)
    weights, square, buffer = START.copy(), np.ones(3), np.zeros(3)
    for gradient, rate, after in zip(gradients, rates, found, strict=True):
        whole = gradient + 0.1 * weights
        square = 0.8 * square + 0.2 * whole**2
        buffer = 0.7 * buffer + rate * whole / np.sqrt(square + 0.01)
        weights = weights - buffer
        assert after == pytest.approx(weights, abs=1e-12)


def test_the_first_step_is_shorter_than_torchs() -> None:
    gradients = np.full((1, 3), 0.1)
    (ours,) = steps(RMSpropTF(lr=0.1), gradients, [0.1])
    (torchs,) = steps(RMSprop(lr=0.1, alpha=0.9, eps=1e-3), gradients, [0.1])
    assert np.abs(START - ours) == pytest.approx(0.01 / np.sqrt(0.9 + 0.001 + 1e-3), rel=1e-6)
    assert (np.abs(START - torchs) > 20 * np.abs(START - ours)).all()


def test_parameters_without_a_gradient_stay() -> None:
    parameter = nn.Parameter(torch.ones(2))
    RMSpropTF(lr=0.1, weight_decay=1.0)([{"params": [parameter]}]).step()
    assert parameter.tolist() == [1, 1]


@pytest.mark.parametrize("options", [{"lr": -1}, {"alpha": 1.0}, {"momentum": 1.0}, {"eps": 0.0}, {"per": 0}])
def test_values_outside_their_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        RMSpropTF(**{"lr": 0.1, **options})  # type: ignore[arg-type]
