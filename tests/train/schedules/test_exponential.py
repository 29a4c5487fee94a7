"""The exponential with a constant ending."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from small_nets import plain_net, step
from supernet.errors import UsageError
from supernet.train import Exponential, LearningRate, Warmup


def rates(schedule: LearningRate, epochs: int, *, per_epoch: int = 4) -> list[float]:
    net = plain_net()
    return [
        schedule(replace(step(net, index, total=epochs * per_epoch), steps_per_epoch=per_epoch), [])
        for index in range(epochs * per_epoch)
    ]


def test_it_decays_at_every_step_and_ends_constant() -> None:
    found = rates(Exponential(floor=0.05), 300)
    assert found[:3] == pytest.approx([1, 0.97 ** (0.25 / 2.4), 0.97 ** (0.5 / 2.4)])
    assert found[4 * 12] == pytest.approx(0.97**5)
    last = next(index for index, rate in enumerate(found) if rate == 0.05)
    assert last / 4 == pytest.approx(2.4 * math.log(0.05) / math.log(0.97), abs=0.25)
    assert set(found[last:]) == {0.05}
    assert min(rates(Exponential(), 300)) < 0.03


def test_it_can_wait_for_a_warm_up() -> None:
    found = rates(Warmup(5 / 25, Exponential(epochs=1, factor=0.5, begin=5), start=0.1), 25)
    assert found[:3] == pytest.approx([0.1, 0.1 + 0.9 / 20, 0.1 + 1.8 / 20])
    assert found[20] == 1.0
    assert found[24] == 0.5
    assert max(found) == 1.0


@pytest.mark.parametrize("options", [{"factor": 0}, {"factor": 1.1}, {"epochs": 0}, {"floor": 2}, {"begin": -1}])
def test_values_outside_their_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Exponential(**options)
