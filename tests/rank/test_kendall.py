"""Correlations against brute force, SciPy and the example of 15,625 architectures."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from strategies import score_pairs
from supernet.errors import UsageError
from supernet.rank import R, kendall_tau, partial_tau, spearman_rho, tau_in_predicted_top, tau_in_true_top
from supernet.rank.kendall import tau_rows

N = 15_625
MEASURES = [kendall_tau, spearman_rho, R]


def brute_tau(x: list[float], y: list[float]) -> float:
    score = both_x = both_y = 0
    for i, j in itertools.combinations(range(len(x)), 2):
        a, b = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
        score, both_x, both_y = score + a * b, both_x + a * a, both_y + b * b
    return score / math.sqrt(both_x * both_y)


@given(score_pairs())
def test_tau_is_the_count_of_pairs(pair):
    assert kendall_tau(*pair) == pytest.approx(brute_tau(*pair), abs=1e-12)


@given(score_pairs())
def test_rho_and_r_agree_with_scipy(pair):
    assert spearman_rho(*pair) == pytest.approx(stats.spearmanr(*pair).statistic, abs=1e-12)
    assert R(*pair) == pytest.approx(stats.pearsonr(*pair).statistic, abs=1e-12)


@given(score_pairs(), st.randoms())
def test_the_order_of_the_architectures_does_not_matter(pair, random):
    order = list(range(len(pair[0])))
    random.shuffle(order)
    for measure in MEASURES:
        assert measure(*([v[i] for i in order] for v in pair)) == pytest.approx(measure(*pair), abs=1e-12)


@given(score_pairs())
def test_monotone_scores_rank_alike_and_reversed_ones_the_other_way(pair):
    x, y = pair
    for measure in (kendall_tau, spearman_rho):
        assert measure([math.exp(v / 10) - 7 for v in x], y) == pytest.approx(measure(x, y), abs=1e-12)
        assert measure([-v for v in x], y) == pytest.approx(-measure(x, y), abs=1e-12)
        assert measure(y, x) == pytest.approx(measure(x, y), abs=1e-12)


@given(score_pairs(12), st.integers(0, 2**32 - 1))
def test_rows_with_absent_entries_are_rows_of_the_present_ones(pair, seed):
    x, y = np.asarray(pair[0]), np.asarray(pair[1])
    present = np.random.default_rng(seed).random((5, len(x))) < 0.7
    present[:, 0] = True
    found = tau_rows(np.tile(x, (5, 1)), np.tile(y, (5, 1)), present)
    for tau, kept in zip(found, present, strict=True):
        if len(set(x[kept])) > 1 and len(set(y[kept])) > 1:
            assert tau == pytest.approx(brute_tau(x[kept].tolist(), y[kept].tolist()), abs=1e-12)
        else:
            assert math.isnan(tau)


@pytest.mark.parametrize("n", [255, 256, 257, 5000, N])
@pytest.mark.parametrize("levels", [3, 100, None])
def test_large_lists_agree_with_scipy(n, levels):
    rng = np.random.default_rng(n)
    x = rng.normal(size=n)
    y = x + rng.normal(size=n)
    if levels is not None:
        x, y = np.floor(x * levels / 3), np.floor(y * levels / 3)
    assert kendall_tau(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)


def test_a_space_of_15625_takes_less_than_a_tenth_of_a_second():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, N))
    for measure in (*MEASURES, tau_in_true_top(0.1), tau_in_predicted_top(0.1)):
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            measure(x, y)
            seconds.append(time.perf_counter() - began)
        assert min(seconds) < 0.1


def test_the_example_of_the_paper():
    true = np.arange(N, 0, -1)  # architecture 0 is the best
    first = np.concatenate([np.arange(N, N - 625, -1), np.arange(15_000)])  # top 625 right, all others reversed
    second = np.concatenate([np.arange(-625, 0), np.arange(15_000, 0, -1)])  # top 625 at the bottom, reversed
    assert spearman_rho(first, true) == pytest.approx(-0.76947, abs=5e-6)
    assert kendall_tau(first, true) == pytest.approx(-0.84320, abs=5e-6)
    assert spearman_rho(second, true) == pytest.approx(0.76947, abs=5e-6)
    assert kendall_tau(second, true) == pytest.approx(0.84320, abs=5e-6)
    assert tau_in_true_top(0.04)(first, true) == 1.0
    assert tau_in_true_top(0.04)(second, true) == -1.0


@given(score_pairs(15), st.data())
def test_partial_tau_is_its_formula(pair, data):
    x, y = pair
    z = data.draw(st.lists(st.integers(0, 9), min_size=len(x), max_size=len(x)).filter(lambda v: len(set(v)) > 1))
    pt, pc, tc = brute_tau(x, y), brute_tau(x, z), brute_tau(y, z)
    assume((1 - pc**2) * (1 - tc**2) > 1e-6)
    assert partial_tau(x, y, z) == pytest.approx((pt - pc * tc) / math.sqrt((1 - pc**2) * (1 - tc**2)), abs=1e-9)


def test_partial_tau_removes_what_a_control_explains():
    rng = np.random.default_rng(3)
    size, own, other = rng.normal(size=(3, 2000))
    assert kendall_tau(size + own, size + other) > 0.3
    # Not 0 although they are independent given the size: (1/3 − 1/2 · 1/2) / (1 − 1/4) for normal scores.
    assert partial_tau(size + own, size + other, size) == pytest.approx(1 / 9, abs=0.04)
    assert partial_tau(size + own, size + own + 0.3 * other, size) > 0.6


@given(score_pairs(), st.floats(0.01, 1))
def test_tau_in_the_top_is_tau_of_the_selected(pair, share):
    for measure, by in ((tau_in_true_top, 1), (tau_in_predicted_top, 0)):
        k = math.ceil(share * len(pair[0]) - 1e-9)
        threshold = sorted(pair[by], reverse=True)[k - 1]
        x, y = ([v for v, decides in zip(values, pair[by], strict=True) if decides >= threshold] for values in pair)
        if len(x) >= 3 and len(set(x)) > 1 and len(set(y)) > 1:
            assert measure(share)(*pair) == pytest.approx(brute_tau(x, y), abs=1e-12)
        else:
            with pytest.raises(UsageError, match="undefined"):
                measure(share)(*pair)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("predicted", "true", "says"),
    [
        ([1, 2, 3], [1, 2, 3, 4], "3 predicted and 4 true"),
        ([1, 1, 1], [1, 2, 3], "predicted scores of all 3 architectures are 1; a constant"),
        ([1, 2, 3], [5, 5, 5], "true scores of all 3 architectures are 5"),
        ([1, math.nan, 3], [1, 2, 3], "1 of the 3 predicted scores are not finite; the first is number 1 .nan"),
        ([1, 2, 3], [1, 2, math.inf], "true scores are not finite"),
        ([1, 2], [1, 2], "at least 3 architectures"),
        ([[1, 2, 3]], [1, 2, 3], r"shape \(1, 3\)"),
        (["a", "b", "c"], [1, 2, 3], "must be numbers"),
    ],
)
def test_bad_scores_are_refused(measure, predicted, true, says):
    with pytest.raises(UsageError, match=says):
        measure(predicted, true)


@pytest.mark.parametrize("share", [0, -0.1, 1.1, math.nan])
def test_bad_shares_are_refused(share):
    with pytest.raises(UsageError, match="above 0 and is at most 1"):
        tau_in_true_top(share)


def test_a_control_that_explains_everything_is_refused():
    with pytest.raises(UsageError, match="control ranks the architectures exactly like"):
        partial_tau([1, 2, 3, 4], [1, 3, 2, 4], [10, 20, 30, 40])


def test_pearson_survives_extreme_scores():
    assert R([1e308, -1e308, 0], [1, -1, 0]) == pytest.approx(1)
    assert R([1e-300, 2e-300, 3e-300], [1, 2, 3]) == pytest.approx(1)
