"""Sampling by cost: the frequencies are those of the space, and budgets are kept."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from scipy import stats

from small_nets import elastic_net, operations_net, step
from supernet import Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.train import Budget, EqualCost, Sampler, Uniform
from supernet.train.laws import SAMPLER_LAWS, SamplerLaw
from supernet.train.samplers.cost_table import CostTable, cost_table, survey


def shaped(net: Supernet, side: int = 8) -> Supernet:
    measure.cost_model(net, (1, side, side))
    return net


BINS = 6


@cache
def elastic() -> Supernet:
    return shaped(elastic_net())


@cache
def cells() -> Supernet:
    return shaped(zoo.nasbench201(channels=4, cells=1, in_channels=1))


def macs(net: Supernet, codes: np.ndarray) -> np.ndarray:
    return measure.cost_model(net).macs(codes)


def table(net: Supernet, *, bins: int = BINS, size: int = 100_000, seed: int = 0) -> CostTable:
    return cost_table(net, net.space, cost="macs", bins=bins, size=size, seed=seed)


def places(found: np.ndarray, low: float, high: float, bins: int = BINS) -> np.ndarray:
    """Bins in whole numbers: equal ones, the last one closed."""
    parts = [(int(cost - low) * bins) // int(high - low) for cost in found.ravel()]
    return np.minimum(parts, bins - 1).reshape(found.shape)


@pytest.mark.parametrize("law", SAMPLER_LAWS)
@pytest.mark.parametrize(
    ("sampler", "make"),
    [
        (EqualCost(bins=BINS), elastic),
        (EqualCost(bins=70, cost="params", tries=5), cells),
        (EqualCost(count=1, bins=4, survey=500), cells),
        (Budget(high=1e6, count=3), cells),
        (Budget(low=1000, high=1e9, cost="params"), cells),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_samplers_by_cost_keep_the_laws(sampler: Sampler, make: Callable[[], Supernet], law: SamplerLaw) -> None:
    law(sampler, make())


# -- the table ---------------------------------------------------------------------------------------------------


def brute_force(
    net: Supernet, bins: int = BINS
) -> tuple[np.ndarray, dict[tuple[int, str], dict[object, float]], np.ndarray]:
    """P(bin) and P(option | bin, choice matters), one decision tuple at a time."""
    space = net.space
    weights: dict[tuple[int, ...], float] = defaultdict(float)
    draws = list(itertools.product(*(range(len(choice)) for choice in space.choices)))
    for draw in draws:
        weights[tuple(space.canonical(np.asarray([draw], dtype=np.int16))[0].tolist())] += 1 / len(draws)
    codes = np.asarray(list(weights), dtype=np.int16)
    found = macs(net, codes)
    where = places(found, found.min(), found.max(), bins)
    prior = np.zeros(bins)
    options: dict[tuple[int, str], dict[object, float]] = defaultdict(lambda: defaultdict(float))
    for arch, place, weight in zip(space.wrap(codes), where.tolist(), weights.values(), strict=True):
        prior[place] += weight
        for name, option in arch.options().items():
            options[place, name][option] += weight
    return prior, options, found


@pytest.mark.parametrize("bins", [2, BINS])
@pytest.mark.parametrize("make", [elastic, cells], ids=["elastic", "cells"])
def test_an_enumerated_table_holds_the_exact_frequencies(make: Callable[[], Supernet], bins: int) -> None:
    net = make()
    prior, options, _ = brute_force(net, bins)
    found = table(net, bins=bins)
    assert found.prior == pytest.approx(prior)
    assert found.prior.sum() == pytest.approx(1)
    assert (prior > 0).sum() >= 2
    for place, choice in itertools.product(range(bins), net.space.choices):
        masses = options.get((place, choice.name)) or dict.fromkeys(choice.options, 1.0)
        expected = [masses.get(option, 0.0) / sum(masses.values()) for option in choice.options]
        assert found.options[place, net.space.column(choice.name), : len(choice)] == pytest.approx(expected)


def test_a_surveyed_table_estimates_the_exact_one_and_its_seed_decides() -> None:
    exact, estimate = table(cells()), table(cells(), size=4000, seed=1)
    assert stats.chisquare(estimate.prior[exact.prior > 0] * 4000, exact.prior[exact.prior > 0] * 4000).pvalue > 1e-3
    assert np.array_equal(
        table(shaped(zoo.nasbench201(channels=4, cells=1, in_channels=1)), size=4000, seed=1).prior, estimate.prior
    )
    assert not np.array_equal(table(cells(), size=4000, seed=2).prior, estimate.prior)


def test_a_survey_weighs_architectures_as_uniform_decisions_draw_them() -> None:
    codes, weights = survey(elastic().space, 100, seed=0)
    assert len(codes) == elastic().space.size
    drawn = Counter(Uniform().paths(step(elastic(), index))[0].code for index in range(1500))
    expected = dict(zip(map(tuple, codes.tolist()), weights * 1500, strict=True))
    assert set(drawn) == set(expected)
    assert stats.chisquare([drawn[code] for code in expected], list(expected.values())).pvalue > 1e-3
    assert len(set(weights.round(6))) == 2, "depth 0 and depth 1 have different probabilities"


def test_the_table_is_made_once_and_again_for_other_images() -> None:
    net = shaped(zoo.nasbench201(channels=4, cells=1, in_channels=1))
    first = table(net)
    assert table(net) is first
    shaped(net, 16)
    assert table(net).low > first.low


# -- drawing -----------------------------------------------------------------------------------------------------


def groups(sampler: Sampler, net: Supernet, draws: int) -> np.ndarray:
    """Costs (draws, count)."""
    drawn = [macs(net, net.space.codes(sampler.paths(step(net, index)))) for index in range(draws)]
    return np.stack(drawn)


def test_costs_of_the_groups_are_those_of_the_space_and_equal_within_a_group() -> None:
    prior, _, every = brute_force(cells())
    found = places(groups(EqualCost(count=3, bins=BINS), cells(), 600), every.min(), every.max())
    counts = np.bincount(found[:, 0], minlength=BINS)
    assert stats.chisquare(counts[prior > 0], 600 * prior[prior > 0]).pvalue > 1e-3
    assert counts[prior == 0].sum() == 0
    assert (found == found[:, :1]).mean() > 0.99
    alone = places(groups(Uniform(3), cells(), 600), every.min(), every.max())
    assert (alone == alone[:, :1]).all(axis=1).mean() < 0.4


def test_decisions_are_drawn_as_the_bin_has_them_before_rejection() -> None:
    found = table(cells())
    place = int(found.prior.argmax())
    codes = found.draw(place, 4000, np.random.default_rng(0))
    for column in range(len(cells().space)):
        expected = found.options[place, column]
        counts = np.bincount(codes[:, column], minlength=len(expected))
        assert stats.chisquare(counts[expected > 0], 4000 * expected[expected > 0]).pvalue > 1e-4
        assert counts[expected == 0].sum() == 0
    uniform = cells().space.population(np.random.default_rng(0), 4000)
    hits = [(found.bins(macs(cells(), drawn)) == place).mean() for drawn in (codes, uniform)]
    rare = int(np.flatnonzero(found.prior > 0)[-1])
    near = (found.bins(macs(cells(), found.draw(rare, 4000, np.random.default_rng(0)))) == rare).mean()
    assert hits[0] > hits[1] > 0.1
    assert near > 10 * found.prior[rare], "the frequencies of a rare bin must make it likelier"


def test_what_is_drawn_is_canonical() -> None:
    found = table(elastic(), bins=1)
    codes = found.draw(0, 200, np.random.default_rng(0))
    assert np.array_equal(codes, elastic().space.canonical(codes))
    assert {arch["kernel"] for arch in elastic().space.wrap(codes)} == {None, 1, 3}


def test_more_tries_miss_the_bin_less_often() -> None:
    def missed(tries: int) -> float:
        found = table(cells(), bins=70).bins(groups(EqualCost(count=2, bins=70, tries=tries), cells(), 300))
        return float((found[:, 0] != found[:, 1]).mean())

    assert missed(100) < 0.1 < 0.4 < missed(1)


def test_a_space_of_one_cost_is_one_bin() -> None:
    net = shaped(operations_net())
    space = net.space.restrict({"block0": ["skip"], "block1": ["skip"]})
    codes, weights = survey(space, 10, seed=0)
    found = CostTable(space, codes, weights, np.asarray([5.0]), bins=70)
    assert found.prior.tolist() == [1.0]
    assert space.wrap(found.draw(0, 3, np.random.default_rng(0)))[0]["block0"] == "skip"


# -- a budget ----------------------------------------------------------------------------------------------------


def test_within_a_budget_all_feasible_architectures_are_equally_likely() -> None:
    codes = cells().space.codes(list(cells().space.enumerate()))
    every = macs(cells(), codes)
    low, high = np.quantile(every, [0.9, 0.97])
    assert (every < low).sum() > 100
    assert (every > high).sum() > 100
    feasible = {tuple(code) for code in codes[(every >= low) & (every <= high)].tolist()}
    drawn = Counter(
        arch.code for index in range(250) for arch in Budget(low=low, high=high, count=20).paths(step(cells(), index))
    )
    assert set(drawn) <= feasible
    assert stats.chisquare([drawn[code] for code in feasible]).pvalue > 1e-3


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda: EqualCost(count=0), "count=0"),
        (lambda: EqualCost(bins=0), "bins=0"),
        (lambda: EqualCost(tries=0), "tries=0"),
        (lambda: EqualCost(survey=0), "survey=0"),
        (lambda: EqualCost(cost="joules"), "'macs' or 'params'"),  # type: ignore[arg-type]
        (lambda: Budget(high=-1), "0 ≤ low ≤ high"),
        (lambda: Budget(high=float("inf")), "finite"),
        (lambda: Budget(high=1, count=0), "at least 1"),
        (lambda: Budget(high=1, cost="joules"), "'macs' or 'params'"),  # type: ignore[arg-type]
        (lambda: Budget(high=1.0).check(cells()), "they range from"),
    ],
)
def test_what_makes_no_sense_is_refused(broken: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        broken()
