"""Leaves double from stage to stage, and have their part of the schedule."""

from __future__ import annotations

from typing import Any

import pytest

from supernet import Choice, Space
from supernet.errors import UsageError
from supernet.train import SplitByGradients, StageAfterStage, TrainPaths, Uniform
from supernet.train.samplers.within import Within

SPACE = Space([Choice("a", (0, 1)), Choice("b", (0, 1))])


def plan(**options: Any) -> StageAfterStage:
    given: dict[str, Any] = {"epochs": (1, 2, 5), "fresh": True, "schedule_over": "training", **options}
    return StageAfterStage(program=TrainPaths(sampler=Uniform()), split=SplitByGradients(repeats=3), **given)


def test_every_split_makes_two_of_every_leaf() -> None:
    phases = plan().phases(SPACE)
    of_stage = [0, 1, 1, 2, 2, 2, 2]
    assert [phase.share for phase in phases] == [(1, 2, 5)[stage] for stage in of_stage]
    leaves = [0, 0, 1, 0, 1, 2, 3]
    assert [phase.program.sampler for phase in phases] == [Within(Uniform(), leaf) for leaf in leaves]  # type: ignore[attr-defined]
    splits = [phase.enter for phase in phases]
    assert [None if split is None else split.fresh for split in splits] == [None, False, None, True, None, None, None]  # type: ignore[attr-defined]
    assert {split.repeats for split in splits if split is not None} == {3}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({}, [(0, 1 / 8), (1 / 8, 3 / 8), (0, 5 / 8)]),
        ({"fresh": False}, [(0, 1 / 8), (1 / 8, 3 / 8), (3 / 8, 1)]),
        ({"schedule_over": "stage"}, [(0, 1)] * 3),
    ],
)
def test_fresh_leaves_begin_the_schedule_again(options: dict[str, Any], parts: list[tuple[float, float]]) -> None:
    phases = plan(**options).phases(SPACE)
    assert [phases[place].part for place in (0, 1, 3)] == [pytest.approx(part) for part in parts]


def test_one_stage_and_an_unknown_span_are_refused() -> None:
    with pytest.raises(UsageError, match="two or more"):
        plan(epochs=(3,))
    with pytest.raises(UsageError, match="'training', 'stage'"):
        plan(schedule_over="epoch")
