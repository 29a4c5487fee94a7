"""Stages that shrink the space: how many are planned, how long they are, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from small_nets import operations_net
from supernet.errors import UsageError
from supernet.space import Choice, Space
from supernet.train import Angle, DropOptions, Scored, Shrink, ShrinkByStages, TrainPaths, Uniform

DROP = DropOptions(rating=Scored(Angle()), count=1)


def stages(**options: Any) -> ShrinkByStages:
    given: dict[str, Any] = {"first": 100, "further": 5, "schedule": 250, "shrink": Shrink(drop=DROP, threshold=4)}
    return ShrinkByStages(program=TrainPaths(sampler=Uniform()), **given | options)


def needed(sizes: tuple[int, ...], count: int, threshold: int) -> int:
    """The most rounds that any order of drops takes, by trying all: `count` options go, of no choice the last one."""
    total = 1
    for size in sizes:
        total *= size
    spare = sum(sizes) - len(sizes)
    if total <= threshold or not spare:
        return 0
    gone = min(count, spare)
    takes = (take for take in product(*(range(size) for size in sizes)) if sum(take) == gone)
    return 1 + max(
        needed(tuple(size - lost for size, lost in zip(sizes, take, strict=True)), count, threshold) for take in takes
    )


@pytest.mark.parametrize("sizes", [(3, 3), (4, 2), (3, 3, 2)])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("threshold", [1, 2, 4])
def test_as_many_rounds_are_planned_as_any_order_of_drops_takes(
    sizes: tuple[int, ...], count: int, threshold: int
) -> None:
    space = Space([Choice(f"c{number}", tuple("abcd"[:size])) for number, size in enumerate(sizes)])
    shrink = Shrink(drop=replace(DROP, count=count), threshold=threshold)
    assert shrink.rounds(space) == needed(sizes, count, threshold)


def test_stages_go_along_one_schedule_and_are_lengthened_with_it() -> None:
    space = operations_net().space
    found = stages().phases(space)
    assert [(phase.share, phase.part) for phase in found] == [(100, (0.0, 0.4)), (5, (0.4, 0.42))]
    assert not any(phase.restart for phase in found)
    assert all(phase.leave == stages().shrink and phase.program == stages().program for phase in found)
    short = stages(schedule=50).phases(space)
    assert [phase.part for phase in short] == [(0.0, pytest.approx(100 / 105)), (pytest.approx(100 / 105), 1.0)]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="9 architectures, and is to be shrunk to 9"):
        stages(shrink=Shrink(drop=DROP, threshold=9)).phases(operations_net().space)
    for name in ("first", "further", "schedule"):
        with pytest.raises(UsageError, match=rf"length of the stages \({name}\)"):
            stages(**{name: 0})
    with pytest.raises(UsageError, match="rebase is -1"):
        Shrink(drop=DROP, threshold=4, rebase=-1)
    with pytest.raises(UsageError, match="number of architectures that are left"):
        Shrink(drop=DROP, threshold=0)
