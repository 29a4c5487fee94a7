"""Phases of DARTS-PT: how many projections a space needs, how long each is tuned, and by what."""

from __future__ import annotations

import pytest

from supernet.errors import UsageError
from supernet.space import Choice, Space
from supernet.train import Bilevel, ProjectAlong, ProjectInputs, ProjectOperations, sgd

OPERATIONS, PAIRS = ("skip", "conv"), ((0, 1), (0, 2), (1, 2))


def test_there_are_as_many_projections_as_the_kind_of_cell_with_most_open_choices_needs() -> None:
    space = Space(
        [
            *[Choice(f"normal.{edge}", OPERATIONS) for edge in range(3)],
            Choice("normal.decided", ("conv",)),
            Choice("reduce.0", OPERATIONS),
            Choice("normal.inputs", PAIRS),
            Choice("reduce.inputs", PAIRS),
        ]
    )
    along = ProjectAlong(program=Bilevel(), tuning=sgd(0.01), supernet=7, interval=3)
    first, *others = along.phases(space)
    assert (first.share, first.enter, first.updates) == (7, None, {})
    assert [phase.share for phase in others] == [3, 3, 3, 1]
    assert [type(phase.enter) for phase in others] == [ProjectOperations] * 3 + [ProjectInputs]
    assert [getattr(phase.enter, "restart", ()) for phase in others] == [("weights",), (), (), ()]
    assert [(phase.restart, phase.updates) for phase in others] == [(False, {"weights": sgd(0.01)})] * 4
    assert {phase.program for phase in (first, *others)} == {Bilevel()}


@pytest.mark.parametrize(
    "options", [{"supernet": 0}, {"interval": 0}, {"measure": "rank"}, {"deletion": "all"}, {"edges": 0}]
)
def test_values_outside_their_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        ProjectAlong(program=Bilevel(), tuning=sgd(0.01), **options)  # type: ignore[arg-type]
