"""Intervals cover what they promise; p-values are uniform where there is nothing."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import replace

import numpy as np
import pytest

from supernet.errors import UsageError
from supernet.rank import RHO, TAU, R, difference, estimate, kendall_tau, regret_at, spearman_rho, top_id
from supernet.rank.evidence import contrast, draws, number, resamples, summarise


def tau_of(rho: float) -> float:
    return 2 / math.pi * math.asin(rho)


def plan_of(n: int, seed: int):
    plan = resamples(n, n_bootstrap=199, seed=seed)
    return replace(plan, permutations=plan.permutations[:1])  # intervals only


def test_intervals_of_tau_and_of_differences_cover():
    n, trials = 40, 500
    rng = np.random.default_rng(11)
    hits = widths = paired = 0.0
    for trial in range(trials):
        t, a, b = rng.normal(size=(3, n))
        plan = plan_of(n, trial)
        first, second = (draws(TAU, x[None], t, plan) for x in (0.8 * t + 0.6 * a, 0.6 * t + 0.6 * a + 0.53 * b))
        alone, apart = summarise(first, plan, "τ"), contrast(first, second, plan, "τ")
        hits += alone.low <= tau_of(0.8) <= alone.high
        widths += alone.high - alone.low
        between = tau_of(0.8) - tau_of(0.6 / math.sqrt(0.72 + 0.53**2))
        paired += apart.low <= between <= apart.high
    assert 0.925 < hits / trials < 0.98
    assert 0.925 < paired / trials < 0.98
    spread = np.std([kendall_tau(0.8 * t + 0.6 * a, t) for t, a in rng.normal(size=(500, 2, n))])
    assert widths / trials == pytest.approx(2 * 1.96 * spread, rel=0.15)  # not wider than they need to be


@pytest.mark.slow
def test_intervals_cover_over_trainings_too():
    """Trainings differ in how much they know; architectures alone would promise far too much."""
    n, trials = 100, 200
    rng = np.random.default_rng(5)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    know = 1 + 0.5 * nodes
    truth = float((weights * np.asarray([tau_of(a / math.sqrt(a * a + 1)) for a in know])).sum() / weights.sum())
    covered = blind = 0
    for trial in range(trials):
        t = rng.normal(size=n)
        scores = (1 + 0.5 * rng.normal(size=(3, 1))) * t + rng.normal(size=(3, n))
        plan = plan_of(n, trial)
        drawn = draws(TAU, scores, t, plan)
        found = summarise(drawn, plan, "τ")
        covered += found.low <= truth <= found.high
        low, high = np.quantile(drawn.resampled.mean(axis=0), [0.025, 0.975])
        blind += low <= truth <= high
    assert 0.92 < covered / trials <= 1.0
    assert blind / trials < 0.75


def test_p_values_are_those_of_all_orders():
    predicted, true = [1, 2, 4, 3, 5, 6], [1, 2, 3, 4, 6, 5]
    reached = kendall_tau(predicted, true)
    every = [kendall_tau(order, true) >= reached - 1e-12 for order in itertools.permutations(predicted)]
    found = estimate(TAU, predicted, true, n_bootstrap=5000)
    assert found.p_value == pytest.approx(np.mean(every), abs=0.006)


def test_p_values_of_noise_are_uniform():
    rng = np.random.default_rng(0)
    values = [estimate(RHO, *rng.normal(size=(2, 20)), n_bootstrap=199, seed=s).p_value for s in range(300)]
    assert 0.01 < np.mean(np.asarray(values) <= 0.05) < 0.09
    assert np.mean(values) == pytest.approx(0.5, abs=0.06)


def test_low_regret_is_good():
    rng = np.random.default_rng(0)
    true = rng.normal(size=50)
    assert estimate(regret_at(1), true, true).p_value < 0.1
    assert estimate(regret_at(1), -true, true).p_value > 0.9


def test_value_and_trainings():
    rng = np.random.default_rng(2)
    true = rng.normal(size=60)
    scores = true + rng.normal(size=(4, 60))
    found = estimate(RHO, scores, true)
    each = [spearman_rho(row, true) for row in scores]
    assert found.trainings == pytest.approx(each)
    assert found.value == pytest.approx(np.mean(each))
    assert found.std == pytest.approx(np.std(each, ddof=1))
    assert found.low < found.value < found.high
    assert found.n == 60
    assert estimate(RHO, scores[0], true).std is None


def test_the_difference_is_paired():
    rng = np.random.default_rng(2)
    true = rng.normal(size=80)
    scores = true + rng.normal(size=80)
    nearly = scores + 0.01 * rng.normal(size=80)
    found = difference(TAU, scores, nearly, true)
    alone = estimate(TAU, scores, true)
    assert found.value == pytest.approx(kendall_tau(scores, true) - kendall_tau(nearly, true))
    assert found.high - found.low < (alone.high - alone.low) / 5
    back = difference(TAU, nearly, scores, true)
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low), abs=0.005)


def test_the_same_seed_gives_the_same_interval():
    x, y = np.random.default_rng(2).normal(size=(2, 40))
    assert estimate(R, x, y, seed=3) == estimate(R, x, y, seed=3)
    assert estimate(R, x, y, seed=3) != estimate(R, x, y, seed=4)


def test_a_thousand_resamples_of_300_take_less_than_a_second():
    x, y = np.random.default_rng(2).normal(size=(2, 300))
    plan = resamples(300)
    assert plan.bootstrap.shape == plan.permutations.shape == (1000, 300)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        summarise(draws(TAU, x[None], y, plan), plan, "τ")
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 1


def test_large_spaces_get_fewer_resamples():
    assert len(resamples(3000).bootstrap) == 1000
    assert len(resamples(6000).bootstrap) == 500
    assert len(resamples(15_625).bootstrap) == 199


def test_extremes_have_no_interval():
    x, y = np.random.default_rng(2).normal(size=(2, 30))
    found = estimate(regret_at(5), x, y)
    assert found.low is found.high is None
    assert found.p_value is not None
    assert str(found) == number(found.value)


def test_bad_requests_are_refused():
    x, y = np.random.default_rng(2).normal(size=(2, 30))
    with pytest.raises(UsageError, match="use at least 199"):
        estimate(TAU, x, y, n_bootstrap=100)
    with pytest.raises(UsageError, match=r"confidence 0\.999"):
        estimate(TAU, x, y, confidence=0.999)
    with pytest.raises(UsageError, match="no training at all"):
        estimate(TAU, np.empty((0, 30)), y)
    with pytest.raises(UsageError, match="30 first and 29 true"):
        difference(TAU, x, x, y[:29])
    with pytest.raises(UsageError, match="must be numbers"):
        estimate(TAU, [[1, 2, 3], [1, 2]], [1, 2, 3])
    with pytest.raises(UsageError, match="share of top architectures is 0"):
        estimate(top_id(0), x, y)
