"""The explicit distribution: where it moves, what is drawn from it, and what is asked for again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from supernet.errors import UsageError
from supernet.quantity import ACCURACY
from supernet.search import PBIL, Evolution, Searcher
from supernet.search.constraints import Constraints
from supernet.search.problem import Problem
from supernet.search.searchers.pbil import _Learning
from supernet.space import Arch, Choice, Space

SPACE = Space([Choice(name, (1, 2, 3, 4)) for name in "abcdef"])


def posed(space: Space = SPACE, **options: Any) -> Problem:
    asked: dict[str, Any] = {
        "space": space,
        "objectives": (ACCURACY,),
        "seed": 3,
        "feasible": lambda codes: np.ones(len(codes), dtype=bool),
        "constraints": Constraints({}),
        "known": space.codes([space.smallest()]),
    }
    return Problem(**{**asked, **options})


def told(values: Sequence[float]) -> list[Mapping[str, float]]:
    return [{"accuracy": value} for value in values]


def test_the_distribution_moves_to_the_best_and_keeps_a_floor() -> None:
    learning = _Learning(PBIL(population=8, parents=2, rate=0.5, floor=0.2), posed())
    archs = learning.generation()
    assert len(archs) == 8
    assert all(np.allclose(share, 0.25) for share in learning.shares)
    learning.parents.learn(archs, told(range(8)))
    learning.generation()
    best = SPACE.codes(archs[-2:])
    for column, share in enumerate(learning.shares):
        q = np.bincount(best[:, column], minlength=4) / 2
        np.testing.assert_allclose(share, 0.2 / 4 + 0.8 * (0.5 * 0.25 + 0.5 * q))


def test_choices_that_are_not_active_in_the_best_stay_and_others_are_drawn_as_often_as_the_distribution_says() -> None:
    depth = Choice("depth", (1, 2))
    space = Space([depth, Choice("second", (1, 2, 3), when=depth > 1), Choice("op", ("a", "b"))])
    learning = _Learning(PBIL(population=4, parents=1, rate=1.0, floor=0.3), posed(space))
    learning.generation()
    shallow = space.arch({"depth": 1, "op": "b"})
    learning.parents.learn([shallow], told([1.0]))
    learning._move()
    assert [share.round(3).tolist() for share in learning.shares] == [[0.85, 0.15], [0.333, 0.333, 0.333], [0.15, 0.85]]
    drawn = learning._drawn(4000)
    assert np.mean(drawn[:, 2] == 1) == pytest.approx(0.85, abs=0.02)
    assert np.mean(drawn[:, 0] == 0) == pytest.approx(0.85, abs=0.02)
    assert not drawn[drawn[:, 0] == 0, 1].any(), "what is not active is 0"


@pytest.mark.parametrize(
    "searcher", [PBIL(population=10, parents=4, again=3), Evolution(population=10, parents=4, again=3)]
)
def test_where_values_go_stale_the_best_are_asked_for_again_and_their_new_values_count(searcher: Searcher) -> None:
    begun = searcher.begin(posed(keep=20))
    first = begun.ask(100)
    begun.tell(first, told(range(10)))
    second = begun.ask(100)
    assert second[:3] == [first[9], first[8], first[7]]
    assert len(set(second)) == 10
    begun.tell(second, told([0.0, 20.0, 0.0, *[-1.0] * 7]))
    third = begun.ask(100)
    assert third[:2] == [first[8], first[6]], "what has lost its value is not among the best any more"


@pytest.mark.parametrize(
    "searcher", [PBIL(population=10, parents=4, again=3), Evolution(population=10, parents=4, again=3)]
)
def test_where_they_do_not_nothing_is_asked_for_twice(searcher: Searcher) -> None:
    begun, seen = searcher.begin(posed()), set[Arch]()
    for _ in range(5):
        archs = begun.ask(100)
        assert not seen & set(archs)
        seen |= set(archs)
        begun.tell(archs, told(range(len(archs))))


def test_more_again_than_a_generation_holds_is_refused() -> None:
    with pytest.raises(UsageError, match="ask for 11 architectures again, more than its population of 10"):
        PBIL(population=10, again=11)
    with pytest.raises(UsageError, match="and to ask for 6 again, more than its population of 10"):
        replace(Evolution(population=10, mutations=5, crossovers=0), again=6)
