"""Proximal steps against brute force, another solver, and the recursion written down again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.train import HAPG
from supernet.train.optimisers.hapg import sparse_group
from supernet.train.parametrisations.lasso import lasso


def objective(x: np.ndarray, z: np.ndarray, l1: float, l2: float) -> np.ndarray:
    """½ ‖x − z‖² + l1 ‖x‖₁ + l2 ‖x‖₂ of every row of x."""
    return 0.5 * ((x - z) ** 2).sum(-1) + l1 * np.abs(x).sum(-1) + l2 * np.sqrt((x**2).sum(-1))


@pytest.mark.parametrize("l1", [0.0, 0.3, 1.1])
@pytest.mark.parametrize("l2", [0.0, 0.4, 0.9])
def test_shrinking_is_the_minimum_of_the_objective(l1: float, l2: float) -> None:
    """On a grid of the plane, and against neighbours near and far in five dimensions: the objective is convex."""
    rng = np.random.default_rng(0)
    axis = np.linspace(-2, 2, 401)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    for z in ([1.3, -0.7], [0.5, 0.2], [-1.2, 0.0]):
        best = grid[objective(grid, np.array(z), l1, l2).argmin()]
        assert sparse_group(torch.tensor(z), l1, l2).numpy() == pytest.approx(best, abs=0.011)
    for _ in range(20):
        z = rng.normal(size=5)
        found = sparse_group(torch.tensor(z), l1, l2).numpy()
        others = found + rng.normal(size=(2000, 5)) * 10.0 ** rng.uniform(-4, 0.5, (2000, 1))
        others *= rng.random((2000, 5)) < 0.8
        assert objective(found, z, l1, l2) <= objective(others, z, l1, l2).min() + 1e-12


def steps(optimiser: HAPG, start: Tensor, gradient: Any, count: int) -> list[Tensor]:
    """The tensor after each step along the gradients that a function of it gives."""
    parameter = nn.Parameter(start.clone())
    made, found = optimiser([{"params": [parameter]}]), []
    for _ in range(count):
        parameter.grad = gradient(parameter.detach())
        made.step()
        found.append(parameter.detach().clone())
    return found


@pytest.mark.parametrize("betas", [None, (0.5, 0.9)])
def test_steps_are_those_of_the_published_recursion(betas: tuple[float, float] | None) -> None:
    rng = np.random.default_rng(1)
    matrix, target = rng.normal(size=(6, 6)), rng.normal(size=6)
    hessian = matrix @ matrix.T / 6
    lr, penalty, share, momentum = 0.05, 0.8, 0.4, 0.6
    y = before = rng.normal(size=6)
    start, mean, square = torch.tensor(y), np.zeros(6), np.zeros(6)
    expected = []
    for t in range(1, 13):
        d = gradient = hessian @ y - target
        if betas is not None:
            mean = betas[0] * mean + (1 - betas[0]) * gradient
            square = betas[1] * square + (1 - betas[1]) * gradient**2
            d = mean / (1 - betas[0] ** t) / (np.sqrt(square / (1 - betas[1] ** t)) + 1e-8)
        z = y - lr * d
        u = np.sign(z) * np.maximum(np.abs(z) - lr * share * penalty, 0)
        size = np.sqrt((u**2).sum())
        a = u * max(1 - lr * (1 - share) * penalty * math.sqrt(6) / size, 0) if size else u
        y = np.where(a == 0, 0, a + min((t - 1) / (t + 2), momentum) * (a - before))
        before = a
        expected.append(y)
    optimiser = HAPG(lr=lr, penalty=penalty, l1_share=share, betas=betas, momentum=momentum)
    found = steps(optimiser, start, lambda at: torch.tensor(hessian @ at.numpy() - target), 12)
    assert torch.stack(found).numpy() == pytest.approx(np.stack(expected), abs=1e-12)
    assert any(0 < np.count_nonzero(y) < 6 for y in expected) or betas is not None


def test_without_penalty_and_momentum_it_is_adam() -> None:
    start = torch.randn(5, generator=torch.Generator().manual_seed(0))
    reference = nn.Parameter(start.clone())
    adam = torch.optim.Adam([reference], lr=0.1, betas=(0.5, 0.999))
    for found in steps(HAPG(lr=0.1, penalty=0.0, momentum=0.0), start, lambda at: at - 2, 10):
        reference.grad = reference.detach() - 2
        adam.step()
        torch.testing.assert_close(found, reference.detach())


def test_it_finds_the_lasso_and_is_accelerated() -> None:
    rng = np.random.default_rng(2)
    sensing, target = rng.random((7, 12)), rng.standard_normal(7)
    hessian, expected = sensing.T @ sensing, lasso(sensing, target, 0.1)
    lr, wanted = 1 / float(np.linalg.eigvalsh(hessian)[-1]), sensing.T @ target
    gaps = []
    for momentum in (0.0, 1.0):
        optimiser = HAPG(lr=lr, penalty=0.1, l1_share=1.0, betas=None, momentum=momentum)
        found = steps(optimiser, torch.zeros(12).double(), lambda at: torch.tensor(hessian @ at.numpy() - wanted), 600)
        gaps.append(float(np.abs(found[-1].numpy() - expected).max()))
    assert gaps[1] < 0.2 * gaps[0]
    assert np.array_equal(found[-1].numpy() != 0, expected != 0)


def test_the_more_the_penalty_the_fewer_are_left_and_a_group_goes_as_one() -> None:
    target = torch.tensor([3.0, -2.0, 1.0, 0.5, -0.25])

    def left(penalty: float, share: float) -> int:
        optimiser = HAPG(lr=0.5, penalty=penalty, l1_share=share, betas=None)
        return int(torch.count_nonzero(steps(optimiser, target, lambda at: at - target, 80)[-1]))

    assert [left(penalty, 1.0) for penalty in (0.1, 0.3, 0.7, 1.5, 2.5, 3.5)] == [5, 4, 3, 2, 1, 0]
    norm = float(target.norm()) / math.sqrt(5)
    assert [left(factor * norm, 0.0) for factor in (0.5, 0.99, 1.01)] == [5, 5, 0]


def test_what_is_zero_and_has_no_gradient_stays_and_what_has_one_may_return() -> None:
    optimiser = HAPG(lr=0.1, penalty=0.1, l1_share=1.0)
    parameter = nn.Parameter(torch.tensor([0.02, 0.02, 1.0]))
    made = optimiser([{"params": [parameter]}])
    parameter.grad = torch.tensor([1.0, 1.0, 0.0])
    made.step()
    assert parameter.tolist()[:2] == pytest.approx([-0.07, -0.07])
    parameter.data[:2] = 0
    for gradient in ([0.0, 1.0, 0.0], [0.0, 1.0, 0.0]):
        parameter.grad = torch.tensor(gradient)
        made.step()
    assert parameter[0] == 0, "whatever Adam remembers of it"
    assert parameter[1] < 0


@pytest.mark.parametrize(
    "options",
    [
        {"lr": -1.0},
        {"penalty": -0.1},
        {"l1_share": 1.1},
        {"momentum": 1.1},
        {"betas": (0.5,)},
        {"betas": (0.5, 1.0)},
        {"per": 0},
    ],
)
def test_numbers_outside_their_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        HAPG(**{"lr": 0.1, "penalty": 0.1, **options})
