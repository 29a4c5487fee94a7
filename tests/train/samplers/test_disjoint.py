"""Paths that differ in every choice: counted against all ordered pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats
from torch import nn

from small_nets import elastic_net, operations_net, step
from supernet import OpChoice, Supernet
from supernet.errors import UsageError
from supernet.train import Disjoint
from supernet.train.laws import SAMPLER_LAWS, SamplerLaw


def blocks(*options: int) -> Supernet:
    return Supernet(
        nn.Sequential(*(OpChoice(f"b{i}", {f"op{o}": nn.Identity() for o in range(n)}) for i, n in enumerate(options)))
    )


@pytest.mark.parametrize("law", SAMPLER_LAWS)
@pytest.mark.parametrize(("sampler", "net"), [(Disjoint(), operations_net), (Disjoint(3), lambda: blocks(4, 5))])
def test_it_keeps_the_laws(law: SamplerLaw, sampler: Disjoint, net: Callable[[], Supernet]) -> None:
    law(sampler, net())


def test_every_ordered_pair_is_as_likely() -> None:
    net, drawn = blocks(2, 3), 6000
    seen = Counter(tuple(arch.code for arch in Disjoint().paths(step(net, n))) for n in range(drawn))
    pairs = [((a, c), (b, d)) for (a, b), (c, d) in product(permutations(range(2), 2), permutations(range(3), 2))]
    assert set(seen) == set(pairs)
    assert stats.chisquare([seen[pair] for pair in pairs]).pvalue > 1e-3


def test_as_many_paths_as_asked_for_share_nothing() -> None:
    for n in range(50):
        codes = np.stack([arch.code for arch in Disjoint(4).paths(step(blocks(4, 5), n))])
        assert all(len(set(column)) == 4 for column in codes.T)


def test_a_choice_that_does_not_matter_has_one_canonical_option() -> None:
    net = elastic_net()
    for n in range(20):
        for arch in Disjoint().paths(step(net, n)):
            assert arch == net.space.wrap(net.space.canonical(net.space.codes([arch])))[0]


def test_too_few_options_or_paths_are_refused() -> None:
    with pytest.raises(UsageError, match=r"3 paths were to differ in every choice, but 'b0' has 2 options\."):
        Disjoint(3).check(blocks(2, 3))
    with pytest.raises(UsageError, match="two or more; got 1"):
        Disjoint(1)
    net = blocks(2, 3)
    fixed = net.space.restrict({"b0": ["op1"]})
    with pytest.raises(UsageError, match=r"'b0' has 1 option\."):
        Disjoint().paths(step(net).within(fixed))
