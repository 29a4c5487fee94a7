"""Restarts and swings of the learning rate, against torch's own schedules."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, CosineAnnealingWarmRestarts

from small_nets import plain_net, step
from supernet.errors import UsageError
from supernet.train import WarmRestarts


def curve(schedule: WarmRestarts, *, epochs: int, steps: int = 3) -> list[float]:
    """The factor at every step."""
    now = replace(step(plain_net(), 0, total=epochs * steps), steps_per_epoch=steps)
    return [schedule(replace(now, index=index), []) for index in range(epochs * steps)]


@pytest.mark.parametrize("back", [False, True])
def test_it_is_torch_s_from_epoch_to_epoch(back: bool) -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs: CosineAnnealingLR | CosineAnnealingWarmRestarts = (
        CosineAnnealingLR(optimiser, 10, eta_min=0.01)
        if back
        else CosineAnnealingWarmRestarts(optimiser, 10, 2, eta_min=0.01)
    )
    expected = []
    for _ in range(150):
        expected += [optimiser.param_groups[0]["lr"]] * 3
        optimiser.step()
        theirs.step()
    assert curve(WarmRestarts(epochs=10, factor=2, floor=0.01, back=back), epochs=150) == pytest.approx(expected)


def test_the_epochs_of_micro_and_macro_end_with_a_period() -> None:
    """10 + 20 + 40 + 80 = 150, and 160 more: 310."""
    factors = curve(WarmRestarts(epochs=10, factor=2), epochs=311, steps=1)
    assert [epoch for epoch, factor in enumerate(factors) if factor == 1] == [0, 10, 30, 70, 150, 310]


def test_settings_outside_their_range_are_refused() -> None:
    for settings in ({"epochs": 0}, {"factor": 0.5}, {"floor": 1.5}):
        with pytest.raises(UsageError):
            WarmRestarts(**settings)  # type: ignore[arg-type]
