"""A warm-up and a phase after every decision: lengths, batches, and one schedule over all of them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from cell_nets import cells_net
from supernet.errors import UsageError
from supernet.train import Bilevel, DecideAlong, DecideEdge
from supernet.train.phases import plan


@pytest.mark.parametrize(("warmup", "interval", "growth"), [(10, 5, 0.125), (9, 7, 0.0), (1.5, 0.5, 1.0)])
def test_epochs_are_kept_whatever_the_batch(warmup: float, interval: float, growth: float) -> None:
    rule = DecideAlong(program=Bilevel(), decide=DecideEdge(), warmup=warmup, interval=interval, growth=growth)
    phases = rule.phases(cells_net(nodes=3).space)
    total = warmup + 6 * interval
    assert [phase.batch for phase in phases] == pytest.approx([1 + growth * place for place in range(7)])
    assert [phase.part[1] - phase.part[0] for phase in phases] == pytest.approx(
        [warmup / total, *[interval / total] * 6]
    )
    assert all(before.part[1] == after.part[0] for before, after in pairwise(phases))
    assert (phases[0].part[0], phases[-1].part[1]) == (0.0, 1.0)
    images = [stretch.steps * stretch.phase.batch for stretch in plan(phases, 10_000)]
    assert [seen / images[0] for seen in images] == pytest.approx([1, *[interval / warmup] * 6], rel=0.01)


def test_optimisers_go_on_and_every_phase_but_the_first_begins_with_a_decision() -> None:
    decide = DecideEdge(criterion=2)
    first, *others = DecideAlong(program=Bilevel(), decide=decide).phases(cells_net(nodes=2).space)
    assert (first.name, first.enter, first.restart) == ("warm-up", None, True)
    assert [(phase.name, phase.enter, phase.restart) for phase in others] == [
        (f"decision {number}", decide, False) for number in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize("options", [{"warmup": 0}, {"interval": float("nan")}, {"growth": -0.5}])
def test_lengths_and_batches_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        DecideAlong(program=Bilevel(), decide=DecideEdge(), **options)  # type: ignore[arg-type]
