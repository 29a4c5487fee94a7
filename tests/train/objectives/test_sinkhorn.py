"""Transport: against a linear programme, plain NumPy, and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor

from supernet.train.objectives.sinkhorn import sinkhorn


def clouds(n: int = 5, m: int = 4, d: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator).double(), torch.randn(m, d, generator=generator).double() + 0.5


def costs(x: Tensor, y: Tensor) -> np.ndarray:
    return np.array([[float(((a - b) ** 2).sum()) for b in y] for a in x])


def by_programme(cost: np.ndarray) -> float:
    n, m = cost.shape
    rows, columns = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    shares = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)])
    return float(linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=shares).fun)


def by_numpy(cost: np.ndarray, epsilon: float, iterations: int) -> np.ndarray:
    """Sinkhorn's scaling, without logarithms."""
    n, m = cost.shape
    kernel, a, b = np.exp(-cost / epsilon), np.ones(n), np.ones(m)
    for _ in range(iterations):
        a = 1 / n / (kernel @ b)
        b = 1 / m / (kernel.T @ a)
    return np.asarray(a[:, None] * kernel * b)


@pytest.mark.parametrize("seed", range(3))
def test_with_little_entropy_it_is_the_cost_of_the_linear_programme(seed: int) -> None:
    x, y = clouds(seed=seed)
    cost, plan = sinkhorn(x, y, epsilon=0.01, iterations=5000, tolerance=0)
    assert float(cost) == pytest.approx(by_programme(costs(x, y)), rel=2e-3)
    assert plan.sum(0).numpy() == pytest.approx(np.full(4, 1 / 4), abs=1e-9)
    assert plan.sum(1).numpy() == pytest.approx(np.full(5, 1 / 5), abs=1e-4)
    more, _ = sinkhorn(x, y, epsilon=1.0, iterations=500, tolerance=0)
    assert float(more) > float(cost), "entropy costs"


@pytest.mark.parametrize("iterations", [1, 7])
def test_iterations_are_those_of_plain_scaling(iterations: int) -> None:
    x, y = clouds()
    cost, plan = sinkhorn(x, y, epsilon=0.8, iterations=iterations, tolerance=0)
    expected = by_numpy(costs(x, y), 0.8, iterations)
    assert plan.numpy() == pytest.approx(expected, rel=1e-9)
    assert float(cost) == pytest.approx(float((expected * costs(x, y)).sum()), rel=1e-9)


def test_it_ends_once_potentials_hardly_change() -> None:
    x, y = clouds()
    ended, whole = (sinkhorn(x, y, epsilon=1.0, iterations=100, tolerance=t)[1] for t in (0.1, 0.0))
    near = [float((by_numpy(costs(x, y), 1.0, n) - ended.numpy()).__abs__().max()) for n in range(1, 100)]
    assert min(near) < 1e-12, "after some number of iterations"
    assert not torch.equal(ended, whole)


def test_its_gradient_is_that_of_finite_differences() -> None:
    x, y = clouds(n=3, m=3, d=2)
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: sinkhorn(p, y, epsilon=0.7, iterations=8, tolerance=0)[0], (x,))


def test_far_clouds_give_neither_zero_nor_infinity() -> None:
    x, y = (cloud.float() for cloud in clouds())
    cost, plan = sinkhorn(x, y + 1000, epsilon=1.0)
    assert float(cost) == pytest.approx(by_programme(costs(x, y + 1000)), rel=0.1)  # far from its end
    assert torch.isfinite(plan).all()
