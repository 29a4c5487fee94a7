"""Every architecture is a neighbour of the one before, in gated spaces and sub-spaces too."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats
from torch import nn

from small_nets import elastic_net, operations_net, step
from supernet import Arch, OpChoice, Space, Supernet
from supernet.errors import UsageError
from supernet.train.laws import SAMPLER_LAWS, SamplerLaw
from supernet.train.samplers.hamming_walk import HammingWalk
from supernet.train.samplers.uniform import Uniform


@cache
def blocks(*options: int) -> Supernet:
    """A chain of choice blocks with these numbers of options."""
    return Supernet(
        nn.Sequential(*(OpChoice(f"b{i}", {f"op{o}": nn.Identity() for o in range(n)}) for i, n in enumerate(options)))
    )


NETS = {"operations": operations_net, "gated": elastic_net, "unequal": lambda: blocks(2, 3, 4)}


def walk(
    net: Supernet,
    steps: int,
    *,
    restart: int | None = None,
    memory: dict[str, Any] | None = None,
    space: Space | None = None,
    seed: int = 0,
    first: int = 0,
) -> Iterator[Arch]:
    memory = {} if memory is None else memory
    for index in range(first, first + steps):
        now = replace(step(net, index, seed=seed), memory=memory)
        (arch,) = HammingWalk(restart=restart).paths(now if space is None else now.within(space))
        yield arch


def distance(one: Arch, other: Arch) -> int:
    """Of the choices that both have, how many differ."""
    both = [a and b for a, b in zip(one.active, other.active, strict=True)]
    return sum(a != b for a, b, count in zip(one.code, other.code, both, strict=True) if count)


@pytest.mark.parametrize("law", SAMPLER_LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("net", NETS)
def test_it_keeps_the_laws(net: str, law: SamplerLaw) -> None:
    law(HammingWalk(), NETS[net]())


@pytest.mark.parametrize("name", NETS)
def test_neighbours_follow_each_other(name: str) -> None:
    net = NETS[name]()
    walked = list(walk(net, 300))
    assert [distance(one, other) for one, other in itertools.pairwise(walked)] == [1] * 299
    assert set(walked) == set(net.space.enumerate())
    assert all(arch == net.space.wrap(np.asarray([arch.code]))[0] for arch in walked), "codes are canonical"


def test_every_neighbour_is_as_likely_as_the_rule_says() -> None:
    """A choice in three, then each of its other options alike, from one and the same architecture."""
    net = blocks(2, 3, 4)
    start = {"within": [list(range(n)) for n in (2, 3, 4)], "code": [0, 1, 2], "length": 1}
    followed = Counter(next(walk(net, 1, memory={"walk": start}, first=i)).code for i in range(1800))
    expected = {(1, 1, 2): 600, (0, 0, 2): 300, (0, 2, 2): 300, (0, 1, 0): 200, (0, 1, 1): 200, (0, 1, 3): 200}
    assert set(followed) == set(expected)
    assert stats.chisquare([followed[code] for code in expected], list(expected.values())).pvalue > 1e-3


@pytest.mark.slow
def test_without_gates_it_visits_all_architectures_equally_often() -> None:
    """Thinned until what is kept is all but independent: the second largest eigenvalue is −0.61 here."""
    net = blocks(2, 3, 4)
    visited = Counter(itertools.islice(walk(net, 14_400), 0, None, 12))
    counts = [visited[arch] for arch in net.space.enumerate()]
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.slow
def test_with_gates_it_visits_them_by_uniform_probability_and_choices_that_can_change() -> None:
    net = elastic_net()
    visited = Counter(itertools.islice(walk(net, 9600), 0, None, 8))
    # Uniform draws depth 0 with 1/2 (two choices to change) and depth 1 with each kernel with 1/4 (three).
    archs = list(net.space.enumerate())
    expected = np.asarray([3 if arch["depth"] else 2 * 2 for arch in archs], dtype=float)
    expected *= 1200 / expected.sum()
    assert stats.chisquare([visited[arch] for arch in archs], expected).pvalue > 1e-3


def test_a_choice_that_is_switched_on_is_drawn_uniformly() -> None:
    deeper = Counter(
        other["kernel"]
        for one, other in itertools.pairwise(walk(elastic_net(), 4000))
        if one["kernel"] is None and other["kernel"] is not None
    )
    assert set(deeper) == {1, 3}
    assert stats.binomtest(deeper[1], deeper.total()).pvalue > 1e-3


def test_a_walk_stays_in_its_subspace_and_begins_anew_in_another() -> None:
    net = blocks(3, 3)
    left, right = (net.space.restrict({"b0": options}) for options in (["op0"], ["op1", "op2"]))
    first, begun = Counter[tuple[int, ...]](), 0
    for seed in range(400):
        memory: dict[str, Any] = {}
        *_, last = walk(net, 3, memory=memory, space=left, seed=seed)
        walked = list(walk(net, 6, memory=memory, space=right, seed=seed, first=3))
        assert last in left
        assert all(arch in right for arch in walked)
        assert [distance(one, other) for one, other in itertools.pairwise(walked)] == [1] * 5
        first[walked[0].code] += 1
    assert set(first) == set(itertools.product((1, 2), range(3)))
    assert stats.chisquare(list(first.values())).pvalue > 1e-3
    # From the whole space into a sub-space that happens to hold the last architecture: anew too, so not always near.
    for seed in range(100):
        memory = {}
        *_, last = walk(net, 3, memory=memory, seed=seed)
        (anew,) = walk(net, 1, memory=memory, space=right, seed=seed, first=3)
        begun += distance(last, anew) != 1
    assert begun > 20


def test_in_a_subspace_of_one_architecture_it_stays() -> None:
    net = blocks(3, 3)
    only = net.space.restrict({"b0": ["op1"], "b1": ["op2"]})
    assert {arch.code for arch in walk(net, 5, space=only)} == {(1, 2)}
    with pytest.raises(UsageError, match="needs a choice that can change"):
        HammingWalk().check(blocks(1, 1))


def test_what_it_remembers_survives_json() -> None:
    net, memory = elastic_net(), dict[str, Any]()
    whole = list(walk(net, 40))
    parts = list(walk(net, 17, memory=memory))
    parts += walk(net, 23, memory=json.loads(json.dumps(memory)), first=17)
    assert whole == parts


def test_it_begins_anew_as_often_as_asked() -> None:
    net = blocks(4, 4, 4, 4)
    walked = list(walk(net, 60, restart=5))
    far = {place for place, pair in enumerate(itertools.pairwise(walked), 1) if distance(*pair) != 1}
    assert far <= set(range(5, 60, 5))
    assert len(far) >= 6
    uniform = [Uniform().paths(step(net, index))[0] for index in range(60)]
    assert [walked[place] for place in range(0, 60, 5)] == uniform[::5]
    with pytest.raises(UsageError, match="after 0 architectures; give at least 1"):
        HammingWalk(restart=0)
