"""The lasso against another solver, and against the conditions of an optimum."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from supernet.errors import RunError
from supernet.train.parametrisations.lasso import lasso, violation


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("penalty", [1e-3, 1e-2, 0.3])
def test_it_agrees_with_coordinate_descent(seed: int, penalty: float) -> None:
    rng = np.random.default_rng(seed)
    sensing, target = rng.random((7, 21)), 0.1 * rng.standard_normal(7)
    model = Lasso(alpha=penalty / 7, fit_intercept=False, tol=1e-12, max_iter=500_000)
    expected = model.fit(sensing, target).coef_
    found = lasso(sensing, target, penalty)
    assert found == pytest.approx(expected, abs=1e-5)
    assert np.array_equal(found == 0, expected == 0)


@pytest.mark.parametrize("size", [14, 35])
def test_with_the_published_penalty_it_is_an_optimum_of_few_entries(size: int) -> None:
    """As ISTA-NAS has it: 7 numbers of the size 1e-3, entries of A in [0, 1), λ = 1e-5."""
    rng = np.random.default_rng(size)
    sensing, target = rng.random((7, size)), 1e-3 * rng.standard_normal(7)
    found = lasso(sensing, target, 1e-5)
    assert violation(sensing.T @ sensing, sensing.T @ target, found, 1e-5) < 1e-3 * 1e-5
    assert 2 <= np.count_nonzero(found) <= 7


def test_it_agrees_with_all_supports_and_signs() -> None:
    rng = np.random.default_rng(3)
    sensing, target, penalty = rng.random((2, 4)), rng.standard_normal(2), 0.1

    def value(x: np.ndarray) -> float:
        return float(0.5 * np.sum((sensing @ x - target) ** 2) + penalty * np.abs(x).sum())

    best = value(np.zeros(4))
    for support in (s for size in (1, 2) for s in itertools.combinations(range(4), size)):
        for signs in itertools.product((-1.0, 1.0), repeat=len(support)):
            part = sensing[:, support]
            x = np.zeros(4)
            x[list(support)] = np.linalg.solve(part.T @ part, part.T @ target - penalty * np.array(signs))
            best = min(best, value(x))
    assert value(lasso(sensing, target, penalty)) == pytest.approx(best, rel=1e-9)


def test_a_large_penalty_leaves_nothing() -> None:
    assert lasso(np.eye(3), np.array([0.5, -0.2, 0.1]), 0.5).tolist() == [0, 0, 0]


def test_codes_that_are_not_finite_are_said() -> None:
    with pytest.raises(RunError, match="Lower the learning rate"):
        lasso(np.eye(2), np.array([np.nan, 0]), 0.1)
