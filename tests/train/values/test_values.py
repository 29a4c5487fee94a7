"""Values over time against their closed formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from small_nets import step
from supernet.errors import UsageError
from supernet.train import AverageInto, Consistency, CrossEntropy, Jump, PerEpoch, Ramp, Rise, Step, Term
from supernet.train.values._protocol import check_value, settings_of, value_of


def at(index: int, total: int, *, steps_per_epoch: int = 1) -> Step:
    return replace(step(None, index, total=total), steps_per_epoch=steps_per_epoch)  # type: ignore[arg-type]


SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda x: 2 + 6 * x,
    "cosine": lambda x: 5 - 3 * math.cos(math.pi * x),
    "exponential": lambda x: 2 * 4**x,
    "sigmoid": lambda x: 2 + 6 * math.exp(-5 * (1 - x) ** 2) * (x > 0),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_ramp_goes_from_its_start_to_its_end(shape: str) -> None:
    ramp = Ramp(2.0, 8.0, shape=shape)  # type: ignore[arg-type]
    for index in range(11):
        assert ramp(at(index, 11)) == pytest.approx(SHAPES[shape](index / 10))
    assert (ramp(at(0, 11)), ramp(at(10, 11))) == (2.0, 8.0)
    falls = Ramp(8.0, 2.0, shape=shape)  # type: ignore[arg-type]
    values = [falls(at(index, 50)) for index in range(50)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == pytest.approx(2.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_ramp_may_begin_late_and_end_early(shape: str) -> None:
    ramp = Ramp(2.0, 8.0, shape=shape, begin=0.2, until=0.6)  # type: ignore[arg-type]
    for index in range(101):
        x = min(1.0, max(0.0, (index / 100 - 0.2) / 0.4))
        assert ramp(at(index, 101)) == pytest.approx(SHAPES[shape](x)), index
    assert {ramp(at(index, 101)) for index in (0, 10, 19)} == {2.0}
    assert {ramp(at(index, 101)) for index in (61, 80, 100)} == {8.0}


def test_a_ramp_of_one_step_stands_at_its_start() -> None:
    assert Ramp(1.0, 3.0)(at(0, 1)) == 1.0


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Ramp(0.0, math.inf), "cannot go from 0.0 to inf; give finite numbers"),
        (lambda: Ramp(0.0, 1.0, shape="jump"), "one of .*; got 'jump'"),  # type: ignore[arg-type]
        (lambda: Ramp(0.0, 1.0, begin=0.5, until=0.5), "from the share 0.5 of the training to 0.5"),
        (lambda: Ramp(0.0, 1.0, until=1.5), "to 1.5; give two shares"),
        (lambda: Ramp(1.0, 0.0, shape="exponential"), "between positive numbers; got 1.0 and 0.0"),
    ],
)
def test_what_is_no_ramp(build: Callable[[], Ramp], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        build()


@pytest.mark.parametrize(("total", "epochs"), [(40, 4), (47, 4), (9, 1)])
def test_per_epoch_a_value_stands_within_an_epoch_and_ends_with_its_end(total: int, epochs: int) -> None:
    value = PerEpoch(Ramp(0.0, 9.0))
    found = [value(at(index, total, steps_per_epoch=10)) for index in range(total)]
    for index, number in enumerate(found):
        epoch = min(index // 10, epochs - 1)
        assert number == pytest.approx(9.0 * epoch / max(1, epochs - 1))
    assert found[-1] == (9.0 if epochs > 1 else 0.0)
    assert len(set(found)) == epochs


def test_a_jump_changes_once() -> None:
    value = Jump(1.0, 3.0, at=0.3)
    assert [value(at(index, 10)) for index in range(10)] == [1.0] * 3 + [3.0] * 7
    for share in (0.0, 1.0, math.nan):
        with pytest.raises(UsageError, match=r"change at the share .* of the training; give one in \(0, 1\)"):
            Jump(1.0, 2.0, at=share)
    with pytest.raises(UsageError, match="after the jump is inf"):
        Jump(1.0, math.inf, at=0.5)


def test_a_number_is_itself_at_every_step() -> None:
    now = at(5, 11)
    assert value_of(0.3, now) == 0.3
    assert settings_of({"a": 0.3, "b": Ramp(0.0, 1.0)}, now) == {"a": 0.3, "b": 0.5}


def test_both_ends_of_a_value_are_checked() -> None:
    check_value("x", Ramp(0.0, 1.0), at_least=0, at_most=1)
    check_value("x", lambda step: math.nan)  # nobody can know
    for value in (Ramp(0.5, 2.0), PerEpoch(Ramp(2.0, 0.5)), 2.0):
        with pytest.raises(UsageError, match=r"x is 2.0; it must be a finite number of at least 0 and of at most 1"):
            check_value("x", value, at_least=0, at_most=1)
    for build in (
        lambda: AverageInto("teacher", Ramp(0.9, 1.1)),
        lambda: AverageInto("teacher", -0.1),
        lambda: Consistency(CrossEntropy(), weight=Ramp(0.0, -1.0)),
        lambda: Term("a", CrossEntropy(), math.nan),
    ):
        with pytest.raises(UsageError, match="it must be a finite number"):
            build()


def test_a_rise_stops_one_step_short_of_its_end() -> None:
    assert [Rise(0.2)(at(index, 4)) for index in range(4)] == pytest.approx([0.0, 0.05, 0.1, 0.15])
    by_epoch = PerEpoch(Rise(0.3))
    found = [by_epoch(at(index, 6, steps_per_epoch=2)) for index in range(6)]
    assert found == pytest.approx([0, 0, 0.1, 0.1, 0.2, 0.2]), "p · e / E with E = 3"
    assert by_epoch.ends == (0.0, 0.3)
    with pytest.raises(UsageError, match="rises to"):
        Rise(math.nan)
