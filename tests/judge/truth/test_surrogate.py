"""A surrogate: its held-out error against scikit-learn's own, its predictions, and what it says of itself."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

from supernet.errors import UsageError
from supernet.judge import Distribution, Truth, fit_surrogate
from supernet.rank import sampling_mass_curve
from supernet.space import Choice, Space

DEPTH = Choice("depth", (1, 2))
SPACE = Space(
    [DEPTH, Choice("a", tuple(range(5))), Choice("b", tuple(range(5)), when=DEPTH > 1), Choice("c", ("x", "y", "z"))]
)
ARCHS = list(SPACE.enumerate())


def additive() -> np.ndarray:
    """Worth that is a sum over options of active choices: a line in the features."""
    rng = np.random.default_rng(0)
    worth = {(choice.name, option): rng.normal() for choice in SPACE.choices for option in choice.options}
    return np.asarray([sum(worth[item] for item in arch.options().items()) for arch in ARCHS])


def test_what_is_a_sum_over_options_is_learned_exactly_by_a_line() -> None:
    rows = np.random.default_rng(1).choice(len(ARCHS), 40, replace=False)
    found = fit_surrogate(Truth.of([ARCHS[row] for row in rows], additive()[rows]), model=LinearRegression())
    assert found.held_out.rmse < 1e-9
    assert found.held_out.tau == pytest.approx(1)
    assert found.predict(SPACE.codes(ARCHS)) == pytest.approx(additive())


@pytest.mark.slow
def test_the_error_is_on_architectures_that_were_not_fitted() -> None:
    noise = np.random.default_rng(2).normal(size=len(ARCHS))
    forest = fit_surrogate(Truth.of(ARCHS, noise))
    assert np.sqrt(np.mean((forest.predict(SPACE.codes(ARCHS)) - noise) ** 2)) < 0.6  # fitted
    assert forest.held_out.rmse > 0.95  # and yet nothing was learned
    assert abs(forest.held_out.tau) < 0.2
    mean = fit_surrogate(Truth.of(ARCHS, noise), model=DummyRegressor()).held_out
    assert mean.rmse == pytest.approx(mean.rmse_of_mean)
    assert forest.held_out.rmse_of_mean == mean.rmse_of_mean == pytest.approx(noise.std(), rel=0.05)
    learned = fit_surrogate(Truth.of(ARCHS, additive())).held_out
    assert learned.tau > 0.8
    assert learned.rmse < 0.5 * learned.rmse_of_mean


def test_its_truth_says_what_it_is() -> None:
    found = fit_surrogate(Truth.of(ARCHS[:30], additive()[:30], source="thirty trainings"))
    truth = found.truth(ARCHS[40:50])
    assert (truth.archs, truth.seeds) == (ARCHS[40:50], ("surrogate",))
    assert truth.lookup(ARCHS[40:50]) == pytest.approx(found.predict(SPACE.codes(ARCHS[40:50])))
    assert "surrogate of 30 architectures (held out: τ" in truth.source
    assert truth.source.endswith("thirty trainings")
    again = fit_surrogate(Truth.of(ARCHS[:30], additive()[:30]))
    assert again.held_out == found.held_out


def test_the_mass_by_draws_is_that_of_the_whole_space() -> None:
    found = fit_surrogate(Truth.of(ARCHS, additive()), model=LinearRegression())
    weights = {choice.name: np.random.default_rng(3).dirichlet(np.ones(len(choice))) for choice in SPACE.choices}
    distribution = Distribution.of_weights(SPACE, weights)
    exact = sampling_mass_curve(distribution.probability(SPACE.codes(ARCHS)), additive())
    curves = found.mass(distribution, found.truth(ARCHS))
    assert curves.n == len(ARCHS)
    assert np.abs(curves.lines[0].values - exact).max() < 4 / np.sqrt(4 * len(ARCHS))
    assert "estimated by 90 draws" in curves.quantity


def test_too_few_or_equal_architectures_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 10 architectures of different worth; these are 9"):
        fit_surrogate(Truth.of(ARCHS[:9], additive()[:9]))
    with pytest.raises(UsageError, match="all of the same"):
        fit_surrogate(Truth.of(ARCHS[:20], np.ones(20)))
