"""Thresholds, picks and sampling mass against their definitions."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import score_pairs
from supernet.errors import UsageError
from supernet.rank import (
    best_rank_at,
    ndcg,
    precision,
    regret_at,
    sampling_mass_curve,
    sampling_mass_of_draws,
    top_id,
    top_id_curve,
)
from supernet.rank.measures import in_top

N = 15_625


def top(values, k):
    threshold = sorted(values, reverse=True)[k - 1]
    return {i for i, value in enumerate(values) if value >= threshold}


@given(score_pairs())
def test_rates_and_curve_are_counts(pair):
    predicted, true = pair
    curve = top_id_curve(predicted, true)
    for k in range(1, len(true) + 1):
        good, chosen = top(true, k), top(predicted, k)
        assert set(np.flatnonzero(in_top(np.asarray(true), k))) == good
        share = k / len(true)
        assert top_id(share)(predicted, true) == len(good & chosen) / len(good) == curve[k - 1]
        assert precision(share)(predicted, true) == len(good & chosen) / len(chosen)


def test_the_example_of_the_paper():
    true = np.arange(N, 0, -1)
    first = np.concatenate([np.arange(2 * N, 2 * N - 625, -1), np.arange(15_000)])
    second = np.concatenate([np.arange(625), np.arange(2 * N, 2 * N - 15_000, -1)])
    assert (top_id_curve(first, true)[:625] == 1).all()
    assert (top_id_curve(second, true)[:625] == 0).all()
    assert top_id(0.04)(second, true) == 0
    assert best_rank_at(1)(first, true) == 1
    assert best_rank_at(1)(second, true) == 626


def test_a_random_order_gives_k_over_n():
    rng = np.random.default_rng(0)
    curves = [top_id_curve(rng.permutation(200), np.arange(200)) for _ in range(400)]
    assert np.abs(np.mean(curves, axis=0) - np.arange(1, 201) / 200).max() < 0.03


@given(score_pairs(9), st.data())
def test_picks_are_expectations_over_random_ties(pair, data):
    predicted, true = pair
    k = data.draw(st.integers(1, len(true)))
    threshold = sorted(predicted, reverse=True)[k - 1]
    sure = [i for i, p in enumerate(predicted) if p > threshold]
    tied = [i for i, p in enumerate(predicted) if p == threshold]
    picks = [[*sure, *more] for more in itertools.combinations(tied, k - len(sure))]
    ranks = [1 + sum(other > value for other in true) for value in true]
    best = np.mean([max(true[i] for i in pick) for pick in picks])
    assert regret_at(k)(predicted, true) == pytest.approx(max(true) - best)
    assert best_rank_at(k)(predicted, true) == pytest.approx(np.mean([min(ranks[i] for i in p) for p in picks]))


def test_regret_is_never_negative():
    rng = np.random.default_rng(0)
    for _ in range(300):  # tied predictions: expectations whose rounding could exceed the best
        true = rng.choice([0.1, 0.7, 0.9375], 40)
        assert regret_at(10)(rng.integers(0, 3, 40), true) >= 0


@given(score_pairs(), st.integers(0, 2**32 - 1))
def test_sampling_mass_is_a_sum(pair, seed):
    true = pair[0]
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(len(true)))
    curve = sampling_mass_curve(probabilities, true)
    for k in range(1, len(true) + 1):
        mass = sum(probabilities[i] for i in top(true, k))
        assert curve[k - 1] == pytest.approx(mass)
    assert curve[-1] == pytest.approx(1)


def test_mass_of_draws_estimates_the_mass():
    rng = np.random.default_rng(1)
    true = rng.normal(size=5000)
    probabilities = np.exp(2 * true) / np.exp(2 * true).sum()
    drawn = true[rng.choice(5000, 20_000, p=probabilities)]
    estimate = sampling_mass_of_draws(drawn, true[rng.integers(5000, size=2000)])
    exact = sampling_mass_curve(probabilities, true)
    shares = np.asarray([0.02, 0.1, 0.3, 0.7])
    assert np.abs(estimate[(shares * 2000).astype(int) - 1] - exact[(shares * 5000).astype(int) - 1]).max() < 0.05
    assert exact[249] > 0.4  # the top 5 % hold far more than 5 %


def test_a_space_of_15625_takes_less_than_a_tenth_of_a_second():
    x, y = np.random.default_rng(0).normal(size=(2, N))
    p = np.full(N, 1 / N)
    for run in (
        lambda: top_id_curve(x, y),
        lambda: top_id(0.1)(x, y),
        lambda: sampling_mass_curve(p, y),
        lambda: best_rank_at(100)(x, y),
        lambda: regret_at(1)(x, y),
    ):
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - began)
        assert min(seconds) < 0.1


@pytest.mark.parametrize("measure", [best_rank_at, regret_at])
@pytest.mark.parametrize("k", [0, 4, -1, 1.5, True])
def test_k_out_of_range_is_refused(measure, k):
    with pytest.raises(UsageError, match="k is an integer from 1 to 3"):
        measure(k)([1, 2, 3], [1, 3, 2])


def test_bad_lists_are_refused():
    with pytest.raises(UsageError, match="3 predicted and 4 true"):
        top_id_curve([1, 2, 3], [1, 2, 3, 4])
    with pytest.raises(UsageError, match="constant ranks nothing"):
        regret_at(1)([1, 1, 1], [1, 2, 3])
    with pytest.raises(UsageError, match=r"sum to 0\.6; .* every architecture"):
        sampling_mass_curve([0.2, 0.2, 0.2], [1, 2, 3])
    with pytest.raises(UsageError, match="2 probability and 3 true"):
        sampling_mass_curve([0.5, 0.5], [1, 2, 3])
    with pytest.raises(UsageError, match="at least 0"):
        sampling_mass_curve([1.5, -0.5, 0], [1, 2, 3])


def test_ndcg_is_the_definition_and_ties_share_their_gains():
    rng = np.random.default_rng(3)
    predicted, true = rng.permutation(12) / 7, 90 + rng.normal(size=12)
    gains = 2 ** ((true - true.min()) / (true.max() - true.min())) - 1
    order, ideal = np.argsort(-predicted), np.sort(gains)[::-1]

    def dcg(values):
        return sum(value / np.log2(1 + place) for place, value in enumerate(values, start=1))

    assert ndcg(0.25)(predicted, true) == pytest.approx(dcg(gains[order[:3]]) / dcg(ideal[:3]))
    assert ndcg(1)(true, true) == pytest.approx(1)
    # Its unit does not matter, and of equal predictions the expected figure is told.
    assert ndcg(0.25)(predicted, true / 100) == pytest.approx(ndcg(0.25)(predicted, true))
    tied = [3.0, 1, 1, 0]
    worth = np.array([0.2, 0.9, 0.5, 0.1])
    ways = [ndcg(0.5)(np.array([3.0, 1 + swap, 1 - swap, 0]), worth) for swap in (0.1, -0.1)]
    assert ndcg(0.5)(tied, worth) == pytest.approx(np.mean(ways))
    assert ndcg(0.5)([1, 2, 3, 4], [4, 3, 2, 1.0]) < ndcg(0.5)([4, 2, 3, 1], [4, 3, 2, 1.0]) < 1
