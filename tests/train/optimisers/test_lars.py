"""LARS against its recursion in NumPy, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from supernet.errors import UsageError
from supernet.train import LARS

START = np.array([[1.0, -2.0], [0.5, 3.0]])


def steps(optimiser: LARS, start: np.ndarray, gradients: np.ndarray, rates: list[float]) -> list[np.ndarray]:
    parameter = nn.Parameter(torch.tensor(start))
    made, found = optimiser([{"params": [parameter]}]), []
    for gradient, rate in zip(gradients, rates, strict=True):
        made.param_groups[0]["lr"] = rate
        parameter.grad = torch.tensor(gradient)
        made.step()
        found.append(parameter.detach().numpy().copy())
    return found


def test_steps_are_those_of_the_recursion() -> None:
    gradients, rates = np.random.default_rng(0).normal(size=(5, 2, 2)), [4.8, 4.8, 2.0, 2.0, 0.5]
    found = steps(LARS(lr=4.8, weight_decay=0.1, trust=0.02, momentum=0.8), START, gradients, rates)
    weights, buffer = START.copy(), np.zeros((2, 2))
    for gradient, rate, after in zip(gradients, rates, found, strict=True):
        norm = np.sqrt((weights**2).sum())
        trust = 0.02 * norm / (np.sqrt((gradient**2).sum()) + 0.1 * norm)
        buffer = 0.8 * buffer + rate * trust * (gradient + 0.1 * weights)
        weights = weights - buffer
        assert after == pytest.approx(weights, abs=1e-12)


def test_a_step_does_not_depend_on_the_scale_of_the_gradient() -> None:
    gradients = np.random.default_rng(1).normal(size=(1, 2, 2))
    (small,) = steps(LARS(lr=1.0), START, gradients, [1.0])
    (large,) = steps(LARS(lr=1.0), START, 1000 * gradients, [1.0])
    assert small == pytest.approx(large, abs=1e-12)
    assert np.linalg.norm(small - START) == pytest.approx(0.001 * np.linalg.norm(START))


def test_vectors_are_neither_adapted_nor_decay() -> None:
    bias, gradients = np.array([2.0, -1.0]), np.array([[0.5, 0.25]])
    (found,) = steps(LARS(lr=0.1, weight_decay=0.5), bias, gradients, [0.1])
    assert found == pytest.approx(bias - 0.1 * gradients[0])
    (adapted,) = steps(LARS(lr=0.1, weight_decay=0.5, adapt_vectors=True), bias, gradients, [0.1])
    assert np.abs(adapted - bias).max() < 1e-3


def test_weights_of_zero_move_without_being_adapted() -> None:
    gradients = np.ones((1, 2, 2))
    (found,) = steps(LARS(lr=0.1), np.zeros((2, 2)), gradients, [0.1])
    assert found == pytest.approx(np.full((2, 2), -0.1))


def test_parameters_without_a_gradient_stay() -> None:
    parameter = nn.Parameter(torch.ones(2, 2))
    LARS(lr=0.1, weight_decay=1.0)([{"params": [parameter]}]).step()
    assert parameter.tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    "options",
    [
        {"lr": -1},
        {"momentum": 1.0},
        {"trust": 0.0},
        {"eps": -1.0},
        {"weight_decay": -1},
        {"per": 0},
        {"adapt_vectors": 1},
    ],
)
def test_values_outside_their_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        LARS(**{"lr": 0.1, **options})  # type: ignore[arg-type]
