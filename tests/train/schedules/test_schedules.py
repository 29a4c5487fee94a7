"""Learning rates over a training, in closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from small_nets import plain_net, step
from supernet.errors import UsageError
from supernet.train import Constant, Cosine, LearningRate, Linear, StepDecay, Warmup


def curve(schedule: LearningRate, *, total: int = 10) -> list[float]:
    net = plain_net()
    return [schedule(step(net, index, total=total), []) for index in range(total)]


def test_constant() -> None:
    assert curve(Constant()) == [1.0] * 10


@pytest.mark.parametrize("floor", [0.0, 0.25])
def test_linear(floor: float) -> None:
    assert curve(Linear(floor)) == pytest.approx([1 + (floor - 1) * t / 10 for t in range(10)])


@pytest.mark.parametrize("floor", [0.0, 0.04])
def test_cosine_is_the_one_of_torch(floor: float) -> None:
    expected = [floor + 0.5 * (1 - floor) * (1 + math.cos(math.pi * t / 10)) for t in range(10)]
    assert curve(Cosine(floor)) == pytest.approx(expected)
    assert expected[5] == pytest.approx((1 + floor) / 2)


def test_warmup_rises_to_one_and_multiplies() -> None:
    cosine = curve(Cosine())
    assert curve(Warmup(0.4, Cosine())) == pytest.approx(
        [0.25 * cosine[0], 0.5 * cosine[1], 0.75 * cosine[2], *cosine[3:]]
    )
    assert curve(Warmup(0.0, Linear())) == curve(Linear())
    assert curve(Warmup(0.05, Constant())) == [1.0] * 10, "half a step of warm-up is none"


def test_warmup_may_begin_above_nothing() -> None:
    """AttentiveNAS's: a line from `start` times the cosine of the whole run, which the warm-up does not delay."""
    cosine = curve(Cosine())
    found = curve(Warmup(0.4, Cosine(), start=0.001))
    factors = [0.001, 0.001 + 0.999 / 4, 0.001 + 2 * 0.999 / 4, 0.001 + 3 * 0.999 / 4, *[1.0] * 6]
    assert found == pytest.approx([factor * rate for factor, rate in zip(factors, cosine, strict=True)])
    assert curve(Warmup(0.0, Linear(), start=0.5)) == curve(Linear())
    assert Warmup(0.4, Constant(), start=0.5).alone() == Warmup(0.4, Constant(), start=0.5)


def test_shares_outside_their_range_are_refused() -> None:
    for build in (Linear, Cosine, lambda s: Warmup(s, Constant()), lambda s: Warmup(0.1, Constant(), start=s)):
        for share in (-0.1, 1.1):
            with pytest.raises(UsageError, match=r"share in \[0, 1\]"):
                build(share)


def test_step_decay_is_a_power_of_the_epochs() -> None:
    def rates(schedule: LearningRate) -> list[float]:
        net = plain_net()
        return [schedule(replace(step(net, index), steps_per_epoch=3), []) for index in range(9)]

    assert rates(StepDecay(0.5)) == [1.0] * 3 + [0.5] * 3 + [0.25] * 3
    assert rates(StepDecay(0.5, epochs=2)) == [1.0] * 6 + [0.5] * 3
    assert rates(StepDecay(0.5, epochs=1.5)) == [1.0] * 5 + [0.5] * 4, "within an epoch too"
    assert rates(StepDecay(0.5, begin=1)) == [1.0] * 6 + [0.5] * 3
    assert rates(StepDecay(0.5, epochs=2, begin=1)) == [1.0] * 9
    assert rates(StepDecay(0.5, floor=0.3)) == [1.0] * 3 + [0.5] * 3 + [0.3] * 3
    for build in (lambda: StepDecay(0.0), lambda: StepDecay(floor=1.1), lambda: StepDecay(begin=-1)):
        with pytest.raises(UsageError):
            build()
    for build in (lambda: StepDecay(0.0), lambda: StepDecay(1.1), lambda: StepDecay(0.5, epochs=0)):
        with pytest.raises(UsageError):
            build()
