"""GreedyNAS: the pool, the rejection, the schedule, the end, and an update for every path."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from small_nets import elastic_net, images, operations_net, sgd
from supernet import OpChoice, Supernet
from supernet.errors import UsageError
from supernet.methods import greedynas, spos
from supernet.space import Arch
from supernet.train import (
    Fixed,
    Greedy,
    PathDropout,
    Predicted,
    Recipe,
    Step,
    StrictFair,
    TrainInTurn,
    Uniform,
    checkpoint,
    fit,
    load_candidates,
)
from supernet.train.executor import Executor
from supernet.train.laws import SAMPLER_LAWS, SamplerLaw
from supernet.train.move import Move
from supernet.train.samplers.candidate_pool import CandidatePool, candidates
from supernet.train.samplers.greedy import turnover


@cache
def operations() -> Supernet:
    return operations_net()


@cache
def elastic() -> Supernet:
    return elastic_net()


@cache
def blocks() -> Supernet:
    return Supernet(nn.Sequential(*(OpChoice(f"b{i}", {f"op{o}": nn.Identity() for o in range(8)}) for i in range(3))))


def number(arch: Arch) -> int:
    """Its place in the space: a rating that every architecture has to itself."""
    return int(arch.space.index(arch.space.codes([arch]))[0])


def small_numbers(archs: Sequence[Arch]) -> list[int]:
    return [-number(arch) for arch in archs]


@dataclass(frozen=True)
class ByNumber:
    """Low numbers are good; notes what it was asked."""

    asked: list[list[Arch]] = field(default_factory=list)

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        self.asked.append(list(archs))
        return [float(number(arch)) for arch in archs]


def at(net: Supernet, index: int, memory: dict[str, Any], *, total: int = 100, seed: int = 0) -> Step:
    return Step(index, total, net, np.random.default_rng([seed, index]), memory=memory)


@pytest.mark.parametrize("law", SAMPLER_LAWS)
@pytest.mark.parametrize("make", [operations, elastic, blocks], ids=["operations", "elastic", "blocks"])
def test_greedy_sampling_keeps_the_laws(make: Callable[[], Supernet], law: SamplerLaw) -> None:
    law(Greedy(rating=Predicted(small_numbers)), make())


# -- the pool ----------------------------------------------------------------------------------------------------

CODES = st.tuples(st.integers(0, 3), st.integers(0, 3))
RATINGS = st.dictionaries(CODES, st.integers(0, 50).map(float), max_size=6)


def test_members_outside_the_subspace_are_not_drawn() -> None:
    pool = CandidatePool({}, 10)
    pool.push([(0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 0, 0)], [0.1, 0.2, 0.3, 0.4], step=0)
    part = blocks().space.restrict({"b0": ["op1"]})
    assert sorted(pool.draw(3, part, np.random.default_rng(0)).tolist()) == [[1, 0, 0], [1, 1, 0]]
    memory = {"pool": [[0.1, 0, [0, 0, 0]], [0.2, 0, [3, 0, 0]]]}
    sampler = Greedy(
        candidates=20, keep=20, epsilon=1.0, warmup=0.0, rating=Predicted(lambda archs: [0.0] * len(archs))
    )
    assert {arch["b0"] for arch in sampler.paths(at(blocks(), 99, memory).within(part))} == {"op1"}


@given(st.integers(1, 5), st.lists(RATINGS, max_size=8))
def test_the_pool_holds_the_lowest_of_the_latest_ratings(capacity: int, pushes: list[dict[Any, float]]) -> None:
    memory: dict[str, Any] = {}
    held: dict[Any, float] = {}
    for step, push in enumerate(pushes):
        CandidatePool(memory, capacity).push(list(push), list(push.values()), step=step)
        offered = {**held, **push}
        pool = CandidatePool(memory, capacity)
        assert len(pool) == min(capacity, len(offered)) == len(set(pool.codes()))
        kept = {code: offered[code] for code in pool.codes()}
        assert list(kept.values()) == sorted(offered.values())[:capacity]
        held = kept
        memory = json.loads(json.dumps(memory, sort_keys=True))


@given(st.integers(1, 5), st.permutations(range(16)))
def test_of_everything_rated_once_the_pool_holds_the_best(capacity: int, ratings: list[int]) -> None:
    pool = CandidatePool({}, capacity)
    for step, rating in enumerate(ratings):
        pool.push([divmod(step, 4)], [float(rating)], step=step)
    assert [ratings[4 * a + b] for a, b in pool.codes()] == list(range(capacity))


def test_a_member_that_is_rated_anew_keeps_the_new_rating_and_may_lose_its_place() -> None:
    memory: dict[str, Any] = {}
    pool = CandidatePool(memory, 2)
    pool.push([(0, 0, 0), (0, 0, 1)], [0.1, 0.2], step=0)
    pool.push([(0, 0, 0)], [0.5], step=7)
    assert [(c.rating, c.step) for c in candidates(blocks().space, memory)] == [(0.2, 0), (0.5, 7)]
    pool.push([(0, 0, 2)], [0.3], step=8)
    assert pool.codes() == [(0, 0, 1), (0, 0, 2)]


def test_members_are_drawn_uniformly_and_without_repetition() -> None:
    pool = CandidatePool({}, 5)
    pool.push([(i, 0, 0) for i in range(5)], [float(i) for i in range(5)], step=0)
    rng = np.random.default_rng(0)
    draws = [tuple(pool.draw(2, blocks().space, rng)[:, 0].tolist()) for _ in range(1000)]
    pairs = Counter(draws)
    assert len(pairs) == 20
    assert stats.chisquare(list(pairs.values())).pvalue > 1e-3
    assert pool.draw(0, blocks().space, rng).shape == (0, 3)


# -- sampling ----------------------------------------------------------------------------------------------------


def test_exactly_the_best_are_kept_the_best_first() -> None:
    memory: dict[str, Any] = {}
    for index in range(30):
        rating = ByNumber()
        paths = Greedy(candidates=8, keep=3, capacity=20, rating=rating).paths(at(blocks(), index, memory))
        (asked,) = rating.asked
        assert [number(arch) for arch in paths] == sorted(number(arch) for arch in asked)[:3]
        assert len(asked) >= 7  # of 512 architectures hardly ever two of eight are the same


def test_epsilon_is_zero_during_warm_up_and_then_a_line() -> None:
    sampler = Greedy(epsilon=0.8, warmup=0.2)
    assert [sampler.exploitation(progress) for progress in (0.0, 0.1, 0.2)] == [0, 0, 0]
    assert [sampler.exploitation(progress) for progress in (0.4, 0.6, 1.0)] == pytest.approx([0.2, 0.4, 0.8])
    assert Greedy(warmup=1.0).exploitation(0.99) == 0
    assert Greedy(warmup=0.0).exploitation(0.5) == pytest.approx(0.4)


@pytest.mark.parametrize("progress", [0.1, 0.3, 0.6, 0.9])
def test_candidates_come_from_the_pool_with_probability_epsilon(progress: float) -> None:
    """All new paths are one architecture outside the pool, so that the others are counted exactly."""
    outside = blocks().space.wrap(np.asarray([[7, 7, 7]], dtype=np.int16))[0]
    sampler = Greedy(keep=10, epsilon=0.8, warmup=0.2, explore=Fixed(outside), rating=ByNumber())
    pooled = 0
    for seed in range(150):
        memory: dict[str, Any] = {}
        CandidatePool(memory, 1000).push([(a, b, 0) for a in range(8) for b in range(8)], [0.5] * 64, step=0)
        paths = sampler.paths(at(blocks(), round(100 * progress), memory, seed=seed))
        assert len(paths) == 10
        drawn = [arch for arch in paths if arch != outside]
        assert len(set(drawn)) == len(drawn)
        pooled += len(drawn)
    expected = {0.1: 0.0, 0.3: 0.1, 0.6: 0.4, 0.9: 0.7}[progress]
    assert stats.binomtest(pooled, 1500, expected).pvalue > 1e-3


def test_during_warm_up_candidates_are_uniform_whatever_the_pool_holds() -> None:
    sampler = Greedy(candidates=4, keep=4, warmup=0.5, rating=ByNumber())
    memory: dict[str, Any] = {}
    CandidatePool(memory, 1000).push([(0, 0)], [-1.0], step=0)
    drawn = Counter(arch.code for seed in range(450) for arch in sampler.paths(at(operations(), 20, memory, seed=seed)))
    assert stats.chisquare(list(drawn.values())).pvalue > 1e-3
    assert len(drawn) == 9


def test_the_pool_outgrows_no_space_and_small_pools_are_filled_up() -> None:
    memory: dict[str, Any] = {}
    sampler = Greedy(epsilon=1.0, warmup=0.0, rating=ByNumber())
    for index in range(100):
        assert len(sampler.paths(at(operations(), index, memory))) == 5
    assert [number(c.arch) for c in candidates(operations().space, memory)] == list(range(9))


def test_each_of_rejection_and_pool_makes_good_architectures_likelier() -> None:
    """Mean number (of 512) of the paths that are trained; uniform sampling has 255.5."""

    def mean(sampler: Greedy) -> float:
        memory: dict[str, Any] = {}
        drawn = [number(a) for index in range(100) for a in sampler.paths(at(blocks(), index, memory))]
        return sum(drawn) / len(drawn)

    neither = Greedy(candidates=5, keep=5, capacity=20, epsilon=0.0, rating=ByNumber())
    rejection, pool = replace(neither, candidates=10), replace(neither, epsilon=0.8)
    assert mean(neither) == pytest.approx(255.5, abs=30)
    assert mean(rejection) == pytest.approx(512 * 3 / 11, abs=15)  # the mean of the five lowest of ten uniform ones
    assert mean(pool) < 190
    assert mean(replace(neither, candidates=10, epsilon=0.8)) < 80


def test_a_resumed_training_draws_what_the_other_draws() -> None:
    sampler = Greedy(capacity=20, stop_turnover=0.01, rating=ByNumber())
    whole: dict[str, Any] = {}
    resumed: dict[str, Any] = {}
    for index in range(60):
        assert sampler.paths(at(blocks(), index, whole)) == sampler.paths(at(blocks(), index, resumed))
        resumed = json.loads(json.dumps(resumed, sort_keys=True))
    assert resumed == json.loads(json.dumps(whole))
    assert "pool_before" in resumed


# -- the end -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EverBetter:
    """Whatever comes later is better, so that the pool never settles."""

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        return [-step.index + place / 100 for place in range(len(archs))]


def test_the_turnover_is_the_share_that_is_new() -> None:
    assert turnover([(0,), (1,)], [(0,), (1,)]) == 0
    assert turnover([(0,), (1,)], [(2,), (3,)]) == 1
    assert turnover([(0,), (1,), (2,), (3,)], [(4,), (1,), (2,), (3,)]) == 0.25


def finished_at(sampler: Greedy, *, total: int = 400) -> tuple[int | None, list[set[tuple[int, ...]]]]:
    """The step that ended the training, and the pool after every step."""
    memory: dict[str, Any] = {}
    pools: list[set[tuple[int, ...]]] = []
    for index in range(total):
        sampler.paths(at(blocks(), index, memory, total=total))
        pools.append(set(CandidatePool(memory, sampler.capacity).codes()))
        if "finished" in memory:
            assert "settled" in memory["finished"]
            return index, pools
    return None, pools


@pytest.mark.parametrize("warmup", [0.0, 0.025, 0.1])
def test_the_training_ends_at_the_first_window_with_little_turnover(warmup: float) -> None:
    """Windows begin when warm-up is over and the pool is full; in one of them as much is rated as the pool holds."""
    base = Greedy(candidates=7, keep=1, capacity=25, epsilon=0.0, warmup=warmup, rating=ByNumber())
    window = math.ceil(25 / 7)
    ends = []
    for most in (0.0, 0.08, 0.5):
        stopped, pools = finished_at(replace(base, stop_turnover=most))
        now = next(index for index in range(round(400 * warmup), 400) if len(pools[index]) == 25)
        while len(pools[now + window] - pools[now]) > most * 25:
            now += window
        assert stopped == now + window
        ends.append(stopped)
    assert ends == sorted(ends, reverse=True)
    assert len(set(ends)) > 1 or warmup > 0


def test_a_pool_that_goes_on_changing_does_not_end_the_training() -> None:
    sampler = Greedy(capacity=25, epsilon=0.0, rating=EverBetter(), stop_turnover=0.5)
    assert finished_at(sampler, total=200)[0] is None
    assert finished_at(replace(sampler, rating=ByNumber(), stop_turnover=None), total=200)[0] is None


def test_a_pool_that_is_not_full_has_not_settled() -> None:
    sampler = Greedy(capacity=1000, rating=ByNumber(), stop_turnover=1.0)
    assert finished_at(sampler, total=100)[0] is None


# -- training ----------------------------------------------------------------------------------------------------


def test_a_settled_pool_ends_the_training_and_a_resumed_one_stays_ended(tmp_path: Path) -> None:
    rating = Predicted(small_numbers)
    sampler = Greedy(candidates=4, keep=2, capacity=6, warmup=0.1, rating=rating, stop_turnover=0.0)
    recipe = replace(greedynas(), program=TrainInTurn(sampler=sampler), weights=sgd(0.05))
    ends = []
    for run in ("whole", "parts"):
        for stop in (None,) if run == "whole" else (7, None, None):
            trained = fit(
                operations_net(),
                recipe,
                images(),
                steps=100,
                batch_size=16,
                out=tmp_path / run,
                resume=True,
                accelerator="cpu",
                progress=False,
                stop_after=stop,
            )
        ends.append(trained)
        pool = load_candidates(operations().space, tmp_path / run)
        assert [number(candidate.arch) for candidate in pool] == list(range(6))
        assert pool[0].step < trained.steps
    whole, parts = ends
    assert 10 <= whole.steps == parts.steps < 90
    assert all(torch.equal(a, b) for a, b in zip(whole.net.parameters(), parts.net.parameters(), strict=True))


def train(recipe: Recipe, *, steps: int, out: Path | None = None, net: Supernet | None = None) -> Supernet:
    net = net or operations_net()
    fit(net, recipe, images(), steps=steps, batch_size=16, out=out, accelerator="cpu", progress=False)
    return net


def test_every_kept_path_gets_an_update_and_a_batch_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    batches: list[torch.Tensor] = []
    original = Executor.execute

    def noting(self: Executor, move: Move, now: Step) -> float:
        before = [p.detach().clone() for p in self.net.parameters()]
        loss = original(self, move, now)
        assert len(move.paths) == 1
        assert any(not torch.equal(a, b) for a, b in zip(before, self.net.parameters(), strict=True))
        batches.append(self.batch("train").x.clone())
        return loss

    monkeypatch.setattr(Executor, "execute", noting)
    train(greedynas(candidates=6, keep=4, images=40).with_weights(per=None), steps=5, out=tmp_path)
    assert len(batches) == 5 * 4
    same = [(a, b) for a in range(20) for b in range(a) if torch.equal(batches[a], batches[b])]
    assert not same, "two updates saw the same images in the same order"
    newest = checkpoint.latest(tmp_path / "checkpoints")
    assert newest is not None
    meta = checkpoint.load(newest)[1]
    assert meta["draws"] == {"train": 20, "validation": 0}


def test_kept_paths_in_turn_are_single_path_training_on_those_paths() -> None:
    """With all of one path kept it is SPOS with one update per step."""
    base = replace(spos(), weights=sgd(0.05))
    turned = replace(base, program=TrainInTurn(sampler=Uniform(), objective=base.program.objective))  # type: ignore[union-attr]
    one, other = train(base, steps=6), train(turned, steps=6)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@dataclass(frozen=True)
class Likes:
    """Architectures with this option in the first block are good."""

    option: str

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        return [0.0 if arch["block0"] == self.option else 1.0 for arch in archs]


def passes(recipe: Recipe) -> dict[str, int]:
    """Training passes of the options of the first block."""
    net = operations_net()
    calls: Counter[str] = Counter()
    block = next(module for module in net.modules() if isinstance(module, OpChoice))
    for option, module in block.candidates.items():
        module.register_forward_hook(
            lambda m, *_, option=option: calls.update([option] if m.training and torch.is_grad_enabled() else [])
        )
    train(recipe, steps=30, net=net)
    return calls


def test_what_is_rated_good_is_trained_more_often_than_by_uniform_sampling() -> None:
    sampler = Greedy(candidates=6, keep=2, rating=Likes("conv1"))
    recipe = replace(greedynas(), program=TrainInTurn(sampler=sampler), weights=sgd(0.01))
    uniform = passes(replace(recipe, program=TrainInTurn(sampler=Uniform(2))))
    assert stats.binomtest(uniform["conv1"], 60, 1 / 3).pvalue > 1e-3
    for option in ("conv1", "conv3"):
        greedy = passes(replace(recipe, program=TrainInTurn(sampler=replace(sampler, rating=Likes(option)))))
        assert sum(greedy.values()) == sum(uniform.values()) == 60
        assert greedy[option] > 45


# -- the pool afterwards -----------------------------------------------------------------------------------------


def test_the_pool_of_a_run_can_be_loaded(tmp_path: Path) -> None:
    net = train(greedynas(pool=4, images=40).with_weights(per=None), steps=12, out=tmp_path)
    found = load_candidates(net.space, tmp_path)
    assert len(found) == len({candidate.arch for candidate in found}) == 4
    assert [c.rating for c in found] == sorted(c.rating for c in found)
    assert all(0 <= c.step < 12 and 0 < c.rating < 5 for c in found)
    assert max(c.step for c in found) > 6, "late ratings are the better ones"
    with pytest.raises(UsageError, match="Give the space of the run"):
        load_candidates(elastic().space, tmp_path)


def test_a_run_without_a_pool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no checkpoint"):
        load_candidates(operations().space, tmp_path / "nothing")
    train(spos(), steps=1, out=tmp_path)
    with pytest.raises(UsageError, match="kept no candidate pool"):
        load_candidates(operations().space, tmp_path)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda: Greedy(keep=0), "best 0 of 10"),
        (lambda: Greedy(candidates=3), "best 5 of 3"),
        (lambda: Greedy(capacity=0), "hold 0 architectures"),
        (lambda: Greedy(epsilon=1.5), "epsilon is 1.5"),
        (lambda: Greedy(warmup=-0.1), "warmup is -0.1"),
        (lambda: Greedy(stop_turnover=2), "stop_turnover is 2"),
        (lambda: Greedy(explore=StrictFair()).check(elastic()), "'kernel' only exists"),
        (lambda: Greedy(explore=PathDropout()).paths(at(operations(), 0, {})), "PathDropout samples mixtures"),
    ],
)
def test_what_makes_no_sense_is_refused(broken: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        broken()
