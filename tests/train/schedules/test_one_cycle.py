"""One cycle against torch's own, and milestones against their formula."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from small_nets import operations_net, step
from supernet.errors import UsageError
from supernet.train import Milestones, OneCycle


@pytest.mark.parametrize(
    ("options", "torchs"),
    [
        ({}, {}),
        ({"rise": 0.1, "begin": 5.0, "end": 100.0}, {"pct_start": 0.1, "div_factor": 5.0, "final_div_factor": 100.0}),
    ],
)
def test_it_is_torchs(options: dict[str, float], torchs: dict[str, Any]) -> None:
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2.0, total_steps=50, cycle_momentum=False, **torchs)
    net, ours = operations_net(), OneCycle(**options)
    for index in range(50):
        assert 2 * ours(step(net, index, total=50), []) == pytest.approx(theirs.get_last_lr()[0], rel=1e-6)
        optimiser.step()
        if index < 49:
            theirs.step()


def test_it_rises_at_once_where_there_is_no_rise() -> None:
    net = operations_net()
    assert OneCycle(rise=0.0)(step(net, 0, total=1), []) <= 1
    assert OneCycle(rise=1.0)(step(net, 9, total=10), []) == pytest.approx(1)


def test_milestones_are_passed_one_by_one() -> None:
    net, schedule = operations_net(), Milestones(at=(170 / 210, 200 / 210))
    found = [round(schedule(step(net, epoch, total=210), []), 9) for epoch in range(210)]
    assert found == [1.0] * 170 + [0.1] * 30 + [0.01] * 10


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: OneCycle(rise=1.5),
        lambda: OneCycle(begin=0.5),
        lambda: OneCycle(end=0.0),
        lambda: Milestones(at=()),
        lambda: Milestones(at=(0.5, 0.2)),
        lambda: Milestones(at=(0.5, 1.0)),
        lambda: Milestones(at=(0.5,), factor=2.0),
    ],
)
def test_numbers_outside_their_range_are_refused(wrong: Any) -> None:
    with pytest.raises(UsageError):
        wrong()
