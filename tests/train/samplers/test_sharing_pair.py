"""Pairs that share an option: the first uniform, the second uniform among those that share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from scipy import stats
from torch import nn

from small_nets import elastic_net, operations_net, step
from supernet import OpChoice, Supernet
from supernet.errors import UsageError
from supernet.train import SharingPair
from supernet.train.laws import SAMPLER_LAWS, SamplerLaw
from supernet.train.samplers.sharing_pair import shared


def blocks(*options: int) -> Supernet:
    return Supernet(
        nn.Sequential(*(OpChoice(f"b{i}", {f"op{o}": nn.Identity() for o in range(n)}) for i, n in enumerate(options)))
    )


@pytest.mark.parametrize("law", SAMPLER_LAWS)
@pytest.mark.parametrize(("sampler", "net"), [(SharingPair(), operations_net), (SharingPair(2), elastic_net)])
def test_it_keeps_the_laws(law: SamplerLaw, sampler: SharingPair, net: Callable[[], Supernet]) -> None:
    law(sampler, net())


def test_every_pair_that_shares_is_as_likely() -> None:
    net, drawn = blocks(2, 3), 6000
    seen = Counter(tuple(arch.code for arch in SharingPair().paths(step(net, n))) for n in range(drawn))
    codes = list(product(range(2), range(3)))
    pairs = [(a, b) for a, b in product(codes, codes) if any(x == y for x, y in zip(a, b, strict=True))]
    assert set(seen) == set(pairs)
    assert stats.chisquare([seen[pair] for pair in pairs]).pvalue > 1e-3


def test_pairs_share_as_many_as_asked_for_also_where_chance_does_not_hit() -> None:
    for net, share in ((blocks(2, 2, 2), 2), (blocks(30, 30, 30, 30), 3), (elastic_net(), 1)):
        space = net.space
        for n in range(30):
            one, other = (space.codes([arch]) for arch in SharingPair(share).paths(step(net, n)))
            assert shared(space, one, other).sum() >= share


def test_a_choice_that_does_not_matter_is_not_shared() -> None:
    space = elastic_net().space
    shallow = space.codes([space.smallest()])
    assert shared(space, shallow, shallow).sum() == int(np.sum(space.active_mask(shallow))) < len(space)


def test_too_much_is_refused() -> None:
    with pytest.raises(UsageError, match="share 0 options"):
        SharingPair(0)
    with pytest.raises(UsageError, match="only 2 choices are in every architecture"):
        SharingPair(3).check(elastic_net())


def test_a_path_that_is_made_to_share_takes_over_what_it_lacks_and_no_more() -> None:
    space = blocks(4, 4, 4).space
    first, second = space.codes([space.wrap(np.array([code], dtype=np.int16))[0] for code in ([0, 0, 0], [0, 1, 2])])
    made = SharingPair(2)._made(space, first[None], second[None], np.random.default_rng(0))
    assert (made[0] == first).sum() == 2
    assert set(made[0].tolist()) < {0, 1, 2}
