"""Options come as often as they are told to."""

from __future__ import annotations

from collections import Counter

import pytest
from scipy import stats

from small_nets import operations_net, step
from supernet.errors import UsageError
from supernet.train import Weighted
from supernet.train.laws import SAMPLER_LAWS, SamplerLaw

P = (0.2, 0.7, 0.1)


@pytest.mark.parametrize("law", SAMPLER_LAWS, ids=lambda law: law.__name__)
def test_the_sampler_keeps_the_laws(law: SamplerLaw) -> None:
    law(Weighted(P), operations_net())


def frequencies(sampler: Weighted, *, steps: int = 3000, without: str | None = None) -> list[dict[str, int]]:
    net = operations_net()
    drawn = []
    for index in range(steps):
        now = step(net, index)
        if without is not None:
            left = [option for option in ("conv3", "conv1", "skip") if option != without]
            now = now.within(net.space.restrict({"block0": left}))
        drawn += sampler.paths(now)
    assert len(drawn) == steps
    return [dict(Counter(str(arch[name]) for arch in drawn)) for name in ("block0", "block1")]


def test_options_are_as_frequent_as_their_probabilities() -> None:
    for counts in frequencies(Weighted(P)):
        found = [counts[name] for name in ("conv3", "conv1", "skip")]
        assert stats.chisquare(found, [p * 3000 for p in P]).pvalue > 1e-3


def test_choices_are_independent() -> None:
    net = operations_net()
    drawn = [Weighted(P).paths(step(net, index))[0].code for index in range(3000)]
    both = [sum(code == (i, j) for code in drawn) for i in range(3) for j in range(3)]
    assert stats.chisquare(both, [p * q * 3000 for p in P for q in P]).pvalue > 1e-3


def test_in_a_sub_space_the_rest_keeps_its_proportions() -> None:
    counts = frequencies(Weighted(P), without="conv1")[0]
    assert set(counts) == {"conv3", "skip"}
    assert stats.binomtest(counts["conv3"], 3000, 2 / 3).pvalue > 1e-3


@pytest.mark.parametrize("wrong", [(), (0.5, 0.4), (1.2, -0.2), (0.0, 1.0)])
def test_what_is_no_distribution_is_refused(wrong: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="whose sum is 1"):
        Weighted(wrong)


def test_another_number_of_options_is_refused() -> None:
    with pytest.raises(UsageError, match="has 3 options, and 2 probabilities"):
        Weighted((0.5, 0.5)).check(operations_net())
