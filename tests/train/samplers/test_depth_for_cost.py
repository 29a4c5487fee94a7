"""Depths whose mean cost is asked for: the calibration, the distribution of depths, and what is refused."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats

from supernet import Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.train import DepthForCost, Step


@cache
def net() -> Supernet:
    return zoo.vitas(variant="tiny", image_size=8, in_channels=1, num_classes=4, tenths=(2, 4), patches=(4,))


def mean(p: float, seed: int = 5) -> float:
    """By the definition: three layers, each the identity with the probability p, but not all."""
    rng = np.random.default_rng(seed)
    drawn = (rng.random((2000, 3)) >= p).sum(1)
    space = net().space
    parts = [space.restrict({"depth": (d,)}).population(rng, int((drawn == d).sum())) for d in (1, 2, 3)]
    return float(measure.CostModel(net(), (1, 8, 8)).macs(np.concatenate(parts)).mean())


@pytest.mark.parametrize("wanted", [0.3, 0.7])
def test_the_mean_cost_is_what_is_asked_for(wanted: float) -> None:
    cost = mean(wanted)
    sampler = DepthForCost(low=cost * 0.97, high=cost * 1.03)
    assert sampler.proportion(net()) == pytest.approx(wanted, abs=0.1)
    rng = np.random.default_rng(1)
    drawn = [sampler.paths(Step(0, 10, net(), rng))[0] for _ in range(500)]
    assert np.mean([measure.macs(net(), arch) for arch in drawn]) == pytest.approx(cost, rel=0.08)


def test_depths_are_drawn_as_often_as_identities_leave_them() -> None:
    cost = mean(0.4)
    sampler = DepthForCost(low=cost * 0.98, high=cost * 1.02)
    p, rng = sampler.proportion(net()), np.random.default_rng(2)
    depths = [int(sampler.paths(Step(0, 10, net(), rng))[0]["depth"]) for _ in range(1000)]  # type: ignore[arg-type]
    shares = np.asarray([math.comb(3, d) * (1 - p) ** d * p ** (3 - d) for d in (1, 2, 3)])
    counts = [depths.count(d) for d in (1, 2, 3)]
    assert stats.chisquare(counts, 1000 * shares / shares.sum()).pvalue > 1e-3


def test_a_sub_space_is_kept_to() -> None:
    cost = mean(0.5)
    sampler = DepthForCost(low=cost * 0.9, high=cost * 1.1)
    part = net().space.restrict({"depth": (2, 3), "width": (8,)})
    step = Step(0, 10, net(), np.random.default_rng(0)).within(part)
    drawn = [sampler.paths(step)[0] for _ in range(50)]
    assert {arch["depth"] for arch in drawn} == {2, 3}
    assert {arch["width"] for arch in drawn} == {8}


def test_identities_are_those_of_all_layers_where_the_largest_depth_is_left_out() -> None:
    """Of three layers one or two remain equally often at a probability of a half."""
    sampler = DepthForCost(low=0.0, high=1e12)
    step = Step(0, 10, net(), np.random.default_rng(0)).within(net().space.restrict({"depth": (1, 2)}))
    drawn = [sampler.paths(step)[0]["depth"] for _ in range(300)]
    assert drawn.count(1) / 300 == pytest.approx(0.5, abs=0.09)


def test_the_search_begins_at_a_half_and_moves_by_a_hundredth_towards_the_bounds() -> None:
    """Bounds that many probabilities meet are met by the one that is nearest to a half."""
    assert DepthForCost(low=0.0, high=1e12).proportion(net()) == 0.5
    assert (DepthForCost(low=0.0, high=1.0).move, DepthForCost(low=0.0, high=1.0).sample) == (0.01, 1000)
    cost = mean(0.6)
    found = DepthForCost(low=0.0, high=cost, sample=200).proportion(net())
    assert 0.53 <= found <= 0.67
    assert round(found * 100) == pytest.approx(found * 100)


def test_a_cost_may_be_the_parameters() -> None:
    space = net().space
    mean = float(measure.CostModel(net(), (1, 8, 8)).params(space.population(np.random.default_rng(0), 500)).mean())
    assert DepthForCost(low=mean / 2, high=mean * 2, cost="params").proportion(net()) == 0.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"low": 2.0, "high": 1.0}, "must rise"),
        ({"low": 1.0, "high": 2.0, "move": 0.5}, "between 0 and 0.5"),
        ({"low": 1.0, "high": 2.0, "sample": 0}, "at least 1"),
        ({"low": 1.0, "high": 2.0, "cost": "flops"}, "cost 'flops'"),
    ],
)
def test_impossible_values_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        DepthForCost(**options)


def test_bounds_that_cannot_be_met_are_told_before_the_training() -> None:
    with pytest.raises(UsageError, match=r"those tried gave [\d,]+ to"):
        DepthForCost(low=1.0, high=2.0).check(net())
    with pytest.raises(UsageError, match=r"those tried gave [\d,]+ to"):
        DepthForCost(low=1e12, high=2e12).check(net())
    with pytest.raises(UsageError, match="no choice 'layers'"):
        DepthForCost(low=1.0, high=2.0, depth="layers").check(net())
