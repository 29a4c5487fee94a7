"""Quantities and constraints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supernet.errors import UsageError
from supernet.quantity import STANDARD, objectives_of
from supernet.search import Constraint, Constraints

NUMBERS = st.floats(-1e12, 1e12)


def test_standard_quantities() -> None:
    assert {name: (q.unit, q.goal) for name, q in STANDARD.items()} == {
        "accuracy": ("", "max"),
        "loss": ("", "min"),
        "macs": ("MAC", "min"),
        "params": ("", "min"),
        "latency_ms": ("ms", "min"),
        "weights_mb": ("MB", "min"),
        "activations_mb": ("MB", "min"),
        "memory_mb": ("MB", "min"),
    }


@given(low=NUMBERS, width=st.floats(0, 1e12), value=NUMBERS)
def test_satisfied_is_exactly_the_interval(low: float, width: float, value: float) -> None:
    high = low + width
    for constraint, inside in (
        (Constraint("macs", low, high), low <= value <= high),
        (Constraint("macs", low, None), low <= value),
        (Constraint("macs", None, high), value <= high),
    ):
        limits = Constraints((constraint,))
        assert limits.satisfied({"macs": value}) == inside
        assert (limits.violation({"macs": value}) == 0) == inside
        assert (constraint.excess(np.array([value])) <= 0).tolist() == [inside]


def test_violation_adds_up_relative_to_the_bounds() -> None:
    limits = Constraints.of({"macs": 200, "latency_ms": (4, 8), "params": (None, 0.0)}, STANDARD)
    columns = {
        "macs": np.array([200.0, 300.0, 100.0]),
        "latency_ms": np.array([5.0, 3.0, 10.0]),
        "params": np.array([-1.0, 0.0, 2.0]),
    }
    np.testing.assert_allclose(limits.violations(columns, 3), [0.0, 0.5 + 0.25, 0.25 + 2.0])
    np.testing.assert_allclose(limits.excesses(columns, 3)[0], [0.0, -0.25, -1.0])


def test_reading_bounds() -> None:
    limits = Constraints.of({"macs": 330e6, "latency_ms": (1, None), "accuracy": [0.7, None]}, STANDARD)
    assert limits.bounds == {"macs": (None, 330e6), "latency_ms": (1.0, None), "accuracy": (0.7, None)}
    assert str(limits) == "macs ≤ 3.3e+08 and 1 ≤ latency_ms and 0.7 ≤ accuracy"
    assert Constraints.of(limits, STANDARD) == limits
    assert Constraints.of(None, STANDARD) == Constraints()
    assert limits.only({"macs"}).names == ("macs",)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"mac": 1}, "'mac' cannot be checked: the evaluator can tell 'accuracy', 'loss', 'macs', 'params'"),
        ({"macs": None}, "upper bound"),
        ({"macs": (None, None)}, "give an upper bound"),
        ({"macs": (2, 1)}, r"\(2.0, 1.0\)"),
        ({"macs": float("nan")}, "finite"),
        ({"macs": (float("-inf"), 3)}, "finite"),
        ({"macs": (1, 2, 3)}, r"pair \(low, high\)"),
        ({"macs": "3e6"}, r"is '3e6'; give an upper bound"),
        ({"macs": True}, "give an upper bound"),
        ({"accuracy": 0.7}, r"write \(0.7, None\) for at least 0.7"),
    ],
)
def test_malformed_bounds_are_refused(bounds: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Constraints.of(bounds, STANDARD)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "name at least one"),
        (("macs", "macs"), "each of them once"),
        (("acuracy",), "'acuracy' is not a quantity of this evaluator; it can tell 'accuracy'"),
    ],
)
def test_malformed_objectives_are_refused(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        objectives_of(names, STANDARD)


def test_one_objective_may_be_a_plain_name() -> None:
    assert objectives_of("macs", STANDARD) == objectives_of(["macs"], STANDARD) == (STANDARD["macs"],)
