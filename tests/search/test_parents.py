"""What is bred from is what a sort of all that was told says, for values that hold and for those that go stale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from supernet.quantity import ACCURACY
from supernet.search.constraints import Constraints
from supernet.search.parents import Parents
from supernet.search.problem import Problem
from supernet.space import Arch, Choice, Space

SPACE = Space([Choice(name, (1, 2, 3, 4)) for name in "abc"])


def posed(keep: int | None) -> Problem:
    return Problem(
        space=SPACE,
        objectives=(ACCURACY,),
        seed=0,
        feasible=lambda codes: np.ones(len(codes), dtype=bool),
        constraints=Constraints({}),
        known=SPACE.codes([SPACE.smallest()]),
        keep=keep,
    )


def told(values: Sequence[float]) -> list[Mapping[str, float]]:
    return [{"accuracy": value} for value in values]


def rounds(rng: np.random.Generator) -> list[tuple[list[Arch], list[float]]]:
    every = list(SPACE.enumerate())
    return [([every[place] for place in rng.permutation(64)[:9]], rng.random(9).round(1).tolist()) for _ in range(5)]


def by_sorting(known: Mapping[Arch, float], n: int) -> list[Arch]:
    return sorted(known, key=lambda arch: -known[arch])[:n]  # stable: of equal ones the first that was told


@pytest.mark.parametrize("seed", range(3))
def test_where_values_hold_the_best_of_all_time_are_the_parents(seed: int) -> None:
    parents, known, seen = Parents(posed(None), 4), dict[Arch, float](), set[Any]()
    assert not parents
    for archs, values in rounds(np.random.default_rng(seed)):
        parents.learn(archs, told(values))
        known |= dict(zip(archs, values, strict=True))
        known = {arch: known[arch] for arch in by_sorting(known, 4)}
        seen |= {arch.code for arch in archs}
        parents.age()
        assert parents.best() == by_sorting(known, 4)
        assert parents.best(2) == by_sorting(known, 2)
        assert parents.visited == seen


@pytest.mark.parametrize("seed", range(3))
def test_where_values_go_stale_the_kept_are_remembered_and_none_counts_as_visited(seed: int) -> None:
    parents, known = Parents(posed(12), 4), dict[Arch, float]()
    for archs, values in rounds(np.random.default_rng(seed)):
        parents.learn(archs, told(values))
        assert parents.visited == {arch.code for arch in archs}
        known |= dict(zip(archs, values, strict=True))
        assert parents.best(64) == by_sorting(known, 64), "until it ages, all of a round are remembered"
        parents.age()
        known = {arch: known[arch] for arch in by_sorting(known, 12)}
        assert parents.best(64) == by_sorting(known, 64)
        assert not parents.visited
