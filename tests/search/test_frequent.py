"""Options that are rare in the first fronts of a search are dropped, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from method_trials import squares
from shifted_searches import blocks_net
from small_nets import executor, step
from supernet.errors import UsageError
from supernet.measure import Calibration
from supernet.quantity import ACCURACY, MACS
from supernet.search import NSGA2, RandomSearch
from supernet.search.evaluation import Evaluation
from supernet.search.frequent import DropRare, first_fronts
from supernet.space import Arch, Choice, Space
from supernet.space.restriction import Restriction
from supernet.train import Context

MEASURED: dict[str, Any] = {"images": 16, "calibration": Calibration(images=16, batch_size=16)}
SPACE = Space([Choice("a", ("x", "y", "z")), Choice("b", ("x", "y"))])


def archs(*told: tuple[str, str]) -> list[Arch]:
    return [SPACE.arch({"a": a, "b": b}) for a, b in told]


def test_rare_options_go_but_those_of_the_best() -> None:
    """Of ten, z has one and b's y none: at a share of 0.1 both go, unless the best has z."""
    found = archs(*[("x", "x")] * 5, *[("y", "x")] * 4, ("z", "x"))
    assert DropRare(rare=0.1).kept(SPACE, found) == {"a": ["x", "y"], "b": ["x"]}
    assert DropRare(rare=0.09).kept(SPACE, found) == {"a": ["x", "y", "z"], "b": ["x"]}
    assert DropRare(rare=0.1).kept(SPACE, found[::-1])["a"] == ["x", "y", "z"]


def test_options_are_counted_choice_by_choice() -> None:
    space = blocks_net().space
    found = list(space.enumerate())[:9]
    kept = DropRare(rare=0.3).kept(space, found)
    told = {name: [arch.options()[name] for arch in found] for name in space.names}
    for name, options in kept.items():
        expected = {o for o in space.allowed(name) if told[name].count(o) > 0.3 * 9 or o == told[name][0]}
        assert set(options) == expected


@pytest.mark.parametrize("fronts", [1, 2, 10])
def test_the_first_fronts_are_counted(fronts: int) -> None:
    """By a rank that is defined anew: how many it takes to be non-dominated."""
    rng = np.random.default_rng(0)
    space = blocks_net().space
    values = [(float(a), float(m)) for a, m in rng.integers(0, 8, (40, 2))]
    found = [
        Evaluation(arch, {"accuracy": a, "macs": m}, 0)
        for arch, (a, m) in zip(list(space.enumerate())[:40], values, strict=True)
    ]

    def rank(place: int, ranks: dict[int, int]) -> int:
        if place not in ranks:
            a, m = values[place]
            above = [other for other, (b, n) in enumerate(values) if (b >= a and n <= m) and (b, n) != (a, m)]
            ranks[place] = 1 + max((rank(other, ranks) for other in above), default=0)
        return ranks[place]

    known: dict[int, int] = {}
    expected = {found[place].arch for place in range(40) if rank(place, known) <= fronts}
    assert {one.arch for one in first_fronts(found, (ACCURACY, MACS), fronts)} == expected


def context(index: int = 2) -> Context:
    net = blocks_net()
    net.input_shape = squares().shape
    return Context(replace(step(net, index), restriction=Restriction(net.space)), executor(net, squares()))


def test_it_searches_what_is_left_and_restricts_it() -> None:
    here = context()
    here.restriction.allow("block0", ["skip", "conv1"])
    drop = DropRare(searcher=RandomSearch(), budget=54, fronts=1, rare=0.0, **MEASURED)
    before = here.restriction.space
    assert all(arch in before for arch in replace(drop, fronts=100).found(here)), "what was dropped stays out"
    here.executor.passed["forward"] = 0
    drop(here)
    space = here.restriction.space
    assert set(space.allowed("block0")) <= {"skip", "conv1"}
    assert space.size < 54
    again = context()
    again.restriction.allow("block0", ["skip", "conv1"])
    drop(again)
    assert again.restriction.kept == here.restriction.kept, "it is a function of the state"
    assert here.executor.passed["forward"] == 54 * (16 + 16)


def test_the_best_of_what_was_found_stays_allowed() -> None:
    here = context()
    drop = DropRare(searcher=RandomSearch(), budget=30, fronts=1, rare=0.9, **MEASURED)
    found = drop.found(context())
    drop(here)
    assert found[0] in here.restriction.space


def test_numbers_that_cannot_be_are_refused_in_a_sentence() -> None:
    wrong: Sequence[tuple[dict[str, Any], str]] = [
        ({"budget": 0}, "budget of the search for rare options is 0"),
        ({"fronts": 0}, "fronts of the search for rare options is 0"),
        ({"images": 0}, "images of the search for rare options is 0"),
        ({"rare": 1.0}, "The largest share of a rare option"),
        ({"cost": "memory_mb"}, "is not known for whole populations"),
        ({"cost": "latency_ms"}, "with a file that `supernet latency` has written"),
        ({"latency": "file.json"}, "with a file that `supernet latency` has written"),
        ({"low": 2.0, "high": 1.0}, "finite low <= high"),
        ({"searcher": NSGA2}, "is no searcher"),
    ]
    for options, said in wrong:
        with pytest.raises(UsageError, match=said):
            DropRare(**options)
