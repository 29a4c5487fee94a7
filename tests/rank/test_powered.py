"""Estimates by a few true scores and many predictions: their intervals hold, and are shorter where these are good."""

from __future__ import annotations

import math

import numpy as np
import pytest

from supernet.errors import UsageError
from supernet.rank.powered import Powered, powered_mean, powered_tau

RUNS, FEW, MANY = 500, 20, 150


def coverage(found: list[Powered], true: float) -> tuple[float, float]:
    """Of the interval, and of that by the true scores alone."""
    ours = np.mean([each.low <= true <= each.high for each in found])
    return float(ours), float(np.mean([each.alone[1] <= true <= each.alone[2] for each in found]))


def width(found: list[Powered]) -> float:
    return float(np.mean([(e.high - e.low) / (e.alone[2] - e.alone[1]) for e in found]))


def means(correlation: float) -> list[Powered]:
    """Of true scores of mean 90 and predictions of another scale, biased by 1000."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(RUNS):
        f = rng.normal(size=FEW + MANY)
        y = 90 + correlation * f + math.sqrt(1 - correlation**2) * rng.normal(size=FEW + MANY)
        f = 1000 + 7 * f
        found.append(powered_mean(y[:FEW], f[:FEW], f[FEW:]))
    return found


@pytest.mark.parametrize("correlation", [0.0, 0.9, -0.9])
def test_the_interval_of_the_mean_holds_and_is_shorter_where_predictions_are_good(correlation: float) -> None:
    found = means(correlation)
    ours, alone = coverage(found, 90.0)
    assert 0.935 <= ours <= 0.98
    assert 0.92 <= alone <= 0.98
    if correlation:
        # Var = (1 − ρ²) / n + ρ² / N against 1 / n: 0.53 of the width.
        expected = math.sqrt(1 - correlation**2 + correlation**2 * FEW / (FEW + MANY))
        assert width(found) == pytest.approx(expected, abs=0.1)
    else:
        assert width(found) == pytest.approx(1.0, abs=0.1)


def test_the_interval_of_the_mean_is_that_of_the_formula() -> None:
    rng = np.random.default_rng(3)
    f, far = rng.normal(size=9), rng.normal(size=30)
    y = f + 0.5 * rng.normal(size=9)
    found = powered_mean(y, f, far)
    slope = np.cov(y, f)[0, 1] / f.var(ddof=1) / (1 + 9 / 30)
    rest = y - slope * f
    variance = ((rest - rest.mean()) ** 2).sum() / 6 / 9 + slope**2 * far.var(ddof=1) / 30
    assert found.value == pytest.approx(y.mean() + slope * (far.mean() - f.mean()))
    assert (found.high - found.low) / 2 == pytest.approx(2.364624 * math.sqrt(variance), rel=1e-6)
    assert (found.alone[2] - found.alone[1]) / 2 == pytest.approx(2.306004 * y.std(ddof=1) / 3, rel=1e-6)


def test_taking_predictions_for_truth_would_not_hold() -> None:
    """What the simulation would show of an interval that ignores how wrong predictions are."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(RUNS):
        f = 90.5 + rng.normal(size=MANY)
        held += abs(f.mean() - 90) < 2 * f.std() / math.sqrt(MANY)
    assert held / RUNS < 0.05


@pytest.mark.parametrize(("correlation", "helps"), [(0.6, 0.95), (0.6, 0.0)])
def test_the_interval_of_tau_holds(correlation: float, helps: float) -> None:
    """Normal scores of correlation ρ have τ = 2 asin(ρ) / π."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(RUNS):
        y = rng.normal(size=FEW + MANY)
        ranking = correlation * y + math.sqrt(1 - correlation**2) * rng.normal(size=FEW + MANY)
        helper = helps * y + math.sqrt(1 - helps**2) * rng.normal(size=FEW + MANY)
        few, others = slice(FEW), slice(FEW, None)
        found.append(powered_tau(ranking[few], y[few], helper[few], (ranking[others], helper[others])))
    ours, alone = coverage(found, 2 * math.asin(correlation) / math.pi)
    assert 0.92 <= ours <= 0.985
    assert 0.92 <= alone <= 0.985
    assert width(found) < 0.75 if helps else width(found) == pytest.approx(1.0, abs=0.08)


def test_tau_alone_is_the_share_of_pairs() -> None:
    rng = np.random.default_rng(2)
    n = 30
    first, second = rng.normal(size=n), rng.normal(size=n)
    pairs = [(i, j) for i in range(n) for j in range(i)]
    agree = sum(np.sign(first[i] - first[j]) * np.sign(second[i] - second[j]) for i, j in pairs)
    found = powered_tau(first, second, first, (first, first))
    assert found.alone[0] == pytest.approx(agree / len(pairs))
    left = [np.delete(np.arange(n), i) for i in range(n)]
    taus = [powered_tau(first[k], second[k], first[k], (first, first)).alone[0] for k in left]
    jackknife = (n - 1) / n * np.sum((np.array(taus) - np.mean(taus)) ** 2)
    half = (found.alone[2] - found.alone[1]) / 2
    assert half == pytest.approx(2.045230 * math.sqrt(jackknife), rel=1e-5)


def test_predictions_that_say_nothing_leave_the_truth_alone() -> None:
    constant = powered_mean([1.0, 2, 4], [5, 5, 5], [1, 2, 3])
    assert (constant.value, constant.low, constant.high) == constant.alone
    assert "do not count: they are 5" in constant.sentence()
    broken = powered_mean([1.0, 2, 4], [5, math.nan, 6], [1, 2, -math.inf])
    assert (broken.value, broken.low, broken.high) == broken.alone
    assert "2 are not finite" in broken.sentence()
    three = powered_mean([1.0, 2, 4], [5, 6, 9], [1, 2, 3])
    assert "needs 4 true scores" in three.sentence()
    perfect = powered_tau(range(9), range(9), [1, 0, *range(2, 9)], (range(9), range(9)))
    # Four disjoint pairs, all in the right order: the least share for which that happens once in forty times.
    assert perfect.alone == (1, pytest.approx(2 * 0.025**0.25 - 1), 1)
    assert (perfect.low, perfect.high) == perfect.alone[1:]
    turned = powered_tau(range(9), range(0, -9, -1), [1, 0, *range(2, 9)], (range(9), range(9)))
    assert turned.high == pytest.approx(-perfect.low)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (([1.0, 2], [1, 2], [1, 2, 3]), "at least 3"),
        (([1.0, 2, 3], [1, 2], [1, 2, 3]), "at least 3"),
        (([1.0, 2, 3], [1, 2, 3, 4], [1, 2, 3]), "same architectures"),
        (([1.0, 2, math.inf], [1, 2, 3], [1, 2, 3]), "not finite"),
    ],
)
def test_lists_that_are_none_are_refused(given: tuple[list[float], ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        powered_mean(*given)
    with pytest.raises(UsageError, match="confidence"):
        powered_mean([1, 2, 3], [1, 2, 4], [1, 2, 3], confidence=95)
