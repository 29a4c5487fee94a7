"""SPOS's released sampler spreads costs where uniform sampling crowds them."""

from __future__ import annotations

import numpy as np
import pytest

from supernet import measure, zoo
from supernet.errors import UsageError
from supernet.train import CostBins, Sampler, Uniform
from supernet.train.laws import SAMPLER_LAWS, SamplerLaw
from supernet.train.step import Step


def drawn(sampler: Sampler, draws: int = 400) -> np.ndarray:
    net = zoo.nasbench201(channels=4, cells=1)
    sampler.check(net)
    archs = [
        arch for index in range(draws) for arch in sampler.paths(Step(index, draws, net, np.random.default_rng(index)))
    ]
    return measure.cost_model(net).macs(net.space.codes(archs))


def test_costs_fill_the_bins_evenly_and_uniform_sampling_does_not() -> None:
    low, high, bins = 0.8e6, 2.4e6, 4
    edges = np.linspace(low, high, bins + 1)
    even = np.histogram(drawn(CostBins(low=low, high=high, bins=bins)), edges)[0]
    crowded = np.histogram(drawn(Uniform()), edges)[0]
    assert even.sum() == 400
    assert abs(even - 100).max() < 45
    assert crowded.max() > 2 * crowded.min()


@pytest.mark.parametrize("law", SAMPLER_LAWS)
def test_the_laws_of_samplers(law: SamplerLaw) -> None:
    law(CostBins(low=0.8e6, high=2.4e6, tries=20), zoo.nasbench201(channels=4, cells=1))


def test_an_empty_range_is_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError, match="they range from"):
        drawn(CostBins(low=1e9, high=2e9))


def test_a_bin_that_cannot_be_hit_gives_some_architecture() -> None:
    costs = drawn(CostBins(low=0, high=1e9, bins=1000, tries=3), draws=5)
    assert len(costs) == 5
