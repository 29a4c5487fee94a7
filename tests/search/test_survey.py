"""Surveys and feasible samples: the reachable range, rare feasible sets, and an end to every search for them."""

from __future__ import annotations

import numpy as np
import pytest

from supernet.errors import RunError, UsageError
from supernet.search import (
    NSGA2,
    Constraints,
    Evolution,
    FeasibleSampler,
    RandomSearch,
    RegularisedEvolution,
    Searcher,
    run,
    survey,
)
from supernet.search.evaluation import costs_of
from supernet.search.laws import Toy, limit, stages
from supernet.search.survey import climb
from supernet.space import Choice, Codes, Space


class Additive(Toy):
    """40 choices of 6 options, each option costing its number: 6⁴⁰ architectures, costs from 0 to 200."""

    def __init__(self) -> None:
        super().__init__(Space([Choice(f"c{place}", range(6)) for place in range(40)]))
        self._costs = [np.arange(6.0)] * 40


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_both_ends_of_a_huge_gated_space_are_found() -> None:
    toy = Toy(stages(10, widths=range(8, 80, 8)))
    tables = iter(toy._costs)
    ends = np.zeros(2)
    for width, depth, first, second in zip(tables, tables, tables, tables, strict=True):
        for end, best in enumerate((np.min, np.max)):
            ends[end] += best(width) + best(first) + best([depth[0], depth[1] + best(second)])
    found = survey(toy, ["macs"], Constraints.of({"macs": (ends[0], ends[0] + 10)}, toy.quantities), rng())
    assert found.ranges["macs"] == pytest.approx(tuple(ends), rel=0.005)
    assert toy.costs(found.known, "macs").max() <= ends[0] + 10


def test_small_spaces_are_listed_exactly() -> None:
    toy = Toy(stages(2))
    costs = toy.costs(toy.space.unindex(range(toy.space.size)), "macs")
    limits = Constraints.of({"macs": float(np.sort(costs)[2])}, toy.quantities)
    found = survey(toy, ["macs"], limits, rng())
    assert found.ranges == {"macs": (costs.min(), costs.max())}
    assert found.feasible_share == (costs <= np.sort(costs)[2]).mean()
    assert len(found.known) == round(found.feasible_share * toy.space.size)


def test_share_of_a_large_space_is_estimated() -> None:
    toy = Toy(stages(3))  # 46,656 architectures
    costs = toy.costs(toy.space.unindex(range(toy.space.size)), "macs")
    high = float(np.quantile(costs, 0.3))
    found = survey(toy, ["macs"], Constraints.of({"macs": high}, toy.quantities), rng())
    assert found.feasible_share == pytest.approx((costs <= high).mean(), abs=0.02)  # σ of 10,000 draws: 0.0046
    assert found.ranges["macs"] == (costs.min(), costs.max())  # the hill climbs reach both ends


def test_hill_climbing_finds_what_sampling_never_would() -> None:
    toy = Additive()
    # smallest() and largest() are the ends, so ask for the middle of nowhere: 10,000 draws stay within 100 ± 60.
    found = survey(toy, ["macs"], Constraints.of({"macs": (20, 22)}, toy.quantities), rng())
    assert found.feasible_share == 0.0
    assert found.ranges["macs"] == (0.0, 200.0)
    costs = toy.costs(found.known, "macs")
    assert len(costs) >= 1
    assert ((costs >= 20) & (costs <= 22)).all()


def test_climb_ends_on_a_summit_in_bounded_time() -> None:
    toy = Additive()
    start = toy.space.population(rng(1), 16)
    calls = 0

    def score(codes: Codes) -> np.ndarray:
        nonlocal calls
        calls += 1
        return toy.costs(codes, "macs")

    end = climb(toy.space, start, score, rng(2), rounds=50)
    assert len(end) == 17
    assert score(end)[0] == score(end).min() == 0  # no single change helps: for sums that is the optimum
    assert score(end).max() < toy.costs(start, "macs").min()
    calls = 0
    climb(toy.space, start, lambda codes: score(codes) * 0, rng(2), rounds=10_000, patience=30)
    assert calls == 32  # the start, thirty rounds without a better best, and a look at the neighbours
    calls = 0
    climb(toy.space, start, score, rng(2), rounds=7)
    assert calls == 1 + 7 + 7


@pytest.mark.parametrize(
    ("high", "low", "message"),
    [
        (-1.0, None, r"Found no architecture of the space with macs ≤ -1. The space reaches macs from 0 to 200 MAC; "),
        (None, 201.0, r"nearest to the constraints is macs 200 MAC. Move macs into that range, or widen the space"),
        (50.7, 50.3, r"nothing was found that meets all at once: loosen one"),
    ],
)
def test_nothing_feasible_says_what_can_be_reached(high: float | None, low: float | None, message: str) -> None:
    toy = Additive()
    limits = Constraints.of({"macs": (low, high)}, toy.quantities)
    with pytest.raises(UsageError, match=message):
        survey(toy, ["macs"], limits, rng())


def test_without_cheap_quantities_nothing_is_computed() -> None:
    toy = Toy(stages(2))
    found = survey(toy, [], Constraints(), rng())
    assert (found.ranges, found.feasible_share) == ({}, 1.0)
    assert toy.space.wrap(found.known) == [toy.space.smallest(), toy.space.largest()]


def test_sampler_draws_distinct_feasible_new_ones() -> None:
    toy = Toy(stages(3))
    high = limit(toy, 0.05)
    known = survey(toy, ["macs"], Constraints.of({"macs": high}, toy.quantities), rng()).known
    sampler = FeasibleSampler(toy.space, lambda codes: toy.costs(codes, "macs") <= high, known=known, rng=rng())
    seen: set[tuple[int, ...]] = set()
    for _ in range(10):
        codes = sampler.draw(40, seen)
        rows = set(map(tuple, codes.tolist()))
        assert len(rows) == 40
        assert not rows & seen
        assert toy.costs(codes, "macs").max() <= high
        seen |= rows


def test_sampler_walks_where_chance_never_hits() -> None:
    toy = Additive()

    def feasible(codes: Codes) -> np.ndarray:
        costs = toy.costs(codes, "macs")
        return (costs >= 20) & (costs <= 25)  # 7.7 to 8.5 standard deviations below the mean of chance

    known = survey(toy, ["macs"], Constraints.of({"macs": (20, 25)}, toy.quantities), rng()).known[:1]
    sampler = FeasibleSampler(toy.space, feasible, known=known, rng=rng())
    codes = sampler.draw(100)
    assert len(set(map(tuple, codes.tolist()))) == 100
    assert feasible(codes).all()
    assert np.median((codes != known[0]).sum(axis=1)) > 3  # they have left home


@pytest.mark.parametrize("searcher", [RandomSearch(), Evolution(), RegularisedEvolution(), NSGA2()])
def test_searchers_move_where_no_single_change_is_feasible(searcher: Searcher) -> None:
    """Cost exactly 20: every step must change two decisions at once, and chance is 7.7 standard deviations away."""
    toy = Additive()
    front = run(searcher, toy, objectives="accuracy", constraints={"macs": (20, 20)}, budget=250)
    assert (front.stopped, front.evaluations) == ("budget", 250)
    assert (toy.costs(toy.space.codes(toy.asked), "macs") == 20).all()


def test_sampler_finds_all_of_a_small_space_and_then_ends() -> None:
    toy = Toy(stages(2))
    costs = toy.costs(toy.space.unindex(range(toy.space.size)), "macs")
    high = float(np.sort(costs)[10])
    first = toy.space.unindex([int(costs.argmin())])
    calls = 0

    def feasible(codes: Codes) -> np.ndarray:
        nonlocal calls
        calls += 1
        return toy.costs(codes, "macs") <= high

    sampler = FeasibleSampler(toy.space, feasible, known=first, rng=rng())
    codes = sampler.draw(500)
    assert len(codes) == (costs <= high).sum()
    assert len(sampler.draw(500, set(map(tuple, codes.tolist())))) == 0
    assert calls < 1000


def test_sampler_ends_without_a_list_too() -> None:
    toy = Additive()
    only = toy.space.codes([toy.space.smallest()])
    sampler = FeasibleSampler(
        toy.space, lambda codes: toy.costs(codes, "macs") == 0, known=only, rng=rng(), batches=2, walks=2
    )
    assert sampler.draw(5).tolist() == only.tolist()
    assert len(sampler.draw(5, {toy.space.smallest().code})) == 0


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (lambda codes: np.zeros((len(codes), 1)), r"have shape \(3, 1\); return one number per architecture"),
        (lambda codes: np.array([1.0, np.nan, 2.0]), r"told macs = nan for s0"),
    ],
)
def test_bad_costs_are_refused(costs: object, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = Toy(stages(1))
    monkeypatch.setattr(toy, "costs", lambda codes, name: costs(codes))
    with pytest.raises(RunError, match=message):
        costs_of(toy, toy.space.population(rng(), 3), ["macs"])
