"""The integer program beside brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from supernet import Choice, ElasticConv2d, ElasticDepth, Supernet
from supernet.errors import UsageError
from supernet.measure import cost_model
from supernet.measure.costs.tables import Tables, Tabulated, Term
from supernet.search.integer_program import smallest_sum
from supernet.space import Space


def gated_net() -> Supernet:
    """Widths tied over three layers, a gated width, a depth: terms of one to three choices."""
    torch.manual_seed(0)
    a, b, depth = Choice("a", (2, 4, 6)), Choice("b", (2, 3, 8)), Choice("depth", (1, 2))
    inner = Choice("inner", (1, 5, 9), when=depth > 1)
    blocks = [
        nn.Sequential(ElasticConv2d(b, 4), ElasticConv2d(4, b)),
        nn.Sequential(ElasticConv2d(b, inner), ElasticConv2d(inner, b)),
    ]
    return Supernet(nn.Sequential(ElasticConv2d(3, a), ElasticConv2d(a, b), ElasticDepth(depth, blocks)))


def random_terms(space: Space, rng: np.random.Generator) -> list[Term]:
    pairs = [(space.choices[0], space.choices[1]), *((choice,) for choice in space.choices)]
    return [Term(Tabulated(pair, rng.normal(size=int(np.prod([len(c) for c in pair]))))) for pair in pairs]


@pytest.mark.parametrize("seed", range(8))
def test_it_finds_what_enumeration_finds(seed: int) -> None:
    net = gated_net()
    rng, space = np.random.default_rng(seed), net.space
    objective = random_terms(space, rng)
    costs = cost_model(net, (3, 6, 6))
    everything = space.codes(list(space.enumerate()))
    macs, params = costs.macs(everything), costs.params(everything)
    share = rng.uniform(0.3, 0.9)
    limits = {
        "macs": (costs.terms("macs"), share * macs.max()),
        "params": (costs.terms("params"), 0.8 * params.max()),
    }
    values = Tables(space, objective)(everything)
    allowed = (macs <= limits["macs"][1]) & (params <= limits["params"][1])
    found = smallest_sum(space, objective, limits)
    assert found.value == pytest.approx(values[allowed].min())
    assert found.costs["macs"] == costs.macs(found.arch) <= limits["macs"][1]
    assert found.costs["params"] == costs.params(found.arch) <= limits["params"][1]
    assert found.gap == pytest.approx(0, abs=1e-6)


def test_a_limit_that_is_just_met_is_met() -> None:
    """Costs of millions beside scores of thousandths."""
    net = gated_net()
    costs = cost_model(net, (3, 96, 96))
    space = net.space
    objective = [Term(Tabulated([choice], [-1e-3 * n for n in range(len(choice))])) for choice in space.choices]
    for arch in list(space.enumerate())[::7]:
        limit = costs.macs(arch)
        found = smallest_sum(space, objective, {"macs": (costs.terms("macs"), limit)})
        assert costs.macs(found.arch) <= limit


def test_limits_that_cannot_be_kept_are_told_with_what_the_smallest_needs() -> None:
    net = gated_net()
    costs = cost_model(net, (3, 6, 6))
    least = costs.macs(net.space.smallest())
    with pytest.raises(UsageError, match=f"smallest one has macs {least:.6g} where at most 10 was"):
        smallest_sum(net.space, [], {"macs": (costs.terms("macs"), 10)})


def test_terms_of_too_many_choices_are_refused() -> None:
    choices = [Choice(f"c{i}", tuple(range(1, 9))) for i in range(6)]
    everything = choices[0] * choices[1] * choices[2] * choices[3] * choices[4] * choices[5]
    with pytest.raises(UsageError, match="262,144 joint settings"):
        smallest_sum(Space(choices), [Term(everything)], {})
