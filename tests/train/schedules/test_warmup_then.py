"""A rise, and another schedule over what is left; a schedule times a constant."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from small_nets import plain_net, step
from supernet.errors import UsageError
from supernet.train import (
    ComplexityAwareLR,
    Constant,
    Cosine,
    LearningRate,
    Linear,
    OnLoss,
    Scaled,
    StepDecay,
    WarmupThen,
)
from supernet.train.alone import alone


def curve(schedule: LearningRate, total: int) -> list[float]:
    net = plain_net()
    return [schedule(replace(step(net, index, total=total), steps_per_epoch=3), []) for index in range(total)]


def test_the_rates_are_those_of_the_official_code() -> None:
    """5 of 25 epochs of 4 batches from 0.03 to 0.96, then a cosine over the 20 that are left."""
    base, peak, batches, warmup, epochs = 0.03, 0.96, 4, 5, 20
    rise = [(t + 1) / (warmup * batches) * (peak - base) + base for t in range(warmup * batches)]
    fall = [0.5 * peak * (1 + math.cos(math.pi * t / (epochs * batches))) for t in range(epochs * batches)]
    found = [peak * factor for factor in curve(WarmupThen(5 / 25, Cosine(), start=1 / 32), 100)]
    assert found == pytest.approx(rise + fall)


def test_without_a_rise_it_is_the_other_schedule() -> None:
    assert curve(WarmupThen(0.0, Linear()), 7) == curve(Linear(), 7)
    assert curve(WarmupThen(1.0, Linear()), 4) == [0.25, 0.5, 0.75, 1.0]


def test_epochs_of_the_other_schedule_count_from_the_end_of_the_rise() -> None:
    assert curve(WarmupThen(0.4, StepDecay(0.5)), 10) == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5]


def test_scaled_is_a_multiple() -> None:
    assert curve(Scaled(0.25, Cosine()), 10) == [0.25 * factor for factor in curve(Cosine(), 10)]


def test_alone_they_are_what_the_inner_schedule_is() -> None:
    inner = OnLoss(ComplexityAwareLR())
    assert alone(WarmupThen(0.1, inner, 0.5)) == WarmupThen(0.1, alone(inner), 0.5)
    assert alone(Scaled(2.0, inner)) == Scaled(2.0, alone(inner))


def test_values_outside_their_range_are_refused() -> None:
    for wrong in (-0.1, 1.1):
        with pytest.raises(UsageError, match="The warm-up is a share"):
            WarmupThen(wrong, Constant())
        with pytest.raises(UsageError, match="The start of the warm-up is a share"):
            WarmupThen(0.1, Constant(), wrong)
    with pytest.raises(UsageError, match="The factor of a schedule"):
        Scaled(0.0, Constant())
