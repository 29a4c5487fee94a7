"""Paths drawn by logits."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scipy import stats

from small_nets import elastic_net, operations_net, step
from supernet import Supernet
from supernet.errors import UsageError
from supernet.space.restriction import Restriction
from supernet.train import FromLogits, OptionLogits
from supernet.train.samplers.draws import drawn_by
from supernet.train.step import Step


@pytest.fixture(scope="module")
def net() -> Supernet:
    return operations_net()


def at(net: Supernet, index: int = 0) -> Step:
    logits = OptionLogits(net, scale=1.0, seed=4)
    return step(net, index, parts={"architecture": logits})


def test_architectures_are_drawn_by_the_product_of_the_softmaxes(net: Supernet) -> None:
    now = at(net)
    logits = now.part("architecture", OptionLogits)
    drawn = [arch.code for arch in FromLogits(4000).paths(now)]
    p, q = (one.detach().double().softmax(0).tolist() for one in logits.logits)
    codes = [(i, j) for i in range(3) for j in range(3)]
    assert stats.chisquare([drawn.count(c) for c in codes], [4000 * p[i] * q[j] for i, j in codes]).pvalue > 1e-3


def test_draws_depend_on_seed_and_step_alone(net: Supernet) -> None:
    def drawn(index: int) -> list[tuple[int, ...]]:
        torch.manual_seed(index)
        return [arch.code for arch in FromLogits(20).paths(at(net, index))]

    assert drawn(3) == drawn(3) != drawn(4)
    assert drawn_by(FromLogits()) == "one"
    assert drawn_by(FromLogits(2)) == "independent"


def test_what_is_not_allowed_is_not_drawn(net: Supernet) -> None:
    now = at(net)
    within = now.within(net.space.restrict({"block0": ["conv3", "skip"]}))
    restriction = Restriction(net.space)
    restriction.allow("block0", ("conv3", "skip"))
    for limited in (within, replace(now, restriction=restriction)):
        drawn = [arch["block0"] for arch in FromLogits(1000).paths(limited)]
        p = now.part("architecture", OptionLogits).logits[0].detach().double()[[0, 2]].softmax(0)
        counts = [drawn.count(option) for option in ("conv3", "skip")]
        assert sum(counts) == 1000
        assert stats.chisquare(counts, (1000 * p).tolist()).pvalue > 1e-3


def test_what_makes_no_sense_is_refused(net: Supernet) -> None:
    with pytest.raises(UsageError, match="asked for 0 paths"):
        FromLogits(0)
    with pytest.raises(UsageError, match="cannot be mixed"):
        FromLogits().check(elastic_net())
    with pytest.raises(UsageError, match="A part 'architecture' of the kind OptionLogits is needed"):
        FromLogits().paths(step(net))
