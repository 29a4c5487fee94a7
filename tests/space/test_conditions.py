"""Conditions under which parts of a network run."""

from __future__ import annotations

import numpy as np
import pytest

from supernet.space import Choice, Expr, Space
from supernet.space.conditions import Differ

WIDTH, OTHER = Choice("width", (8, 16, 24)), Choice("other", (16, 24))


@pytest.mark.parametrize(("first", "second"), [(WIDTH, OTHER), (WIDTH * 2, OTHER), (16, OTHER), (WIDTH, 24), (8, 16)])
def test_sizes_differ_for_one_architecture_and_for_a_population_alike(first: Expr | int, second: Expr | int) -> None:
    space, condition = Space([WIDTH, OTHER]), Differ(first, second)
    archs = list(space.enumerate())
    held = np.broadcast_to(condition.holds(space, space.codes(archs)), len(archs)).tolist()

    def value(size: Expr | int, options: dict[Choice, int]) -> int:
        return int(size.evaluate(options.__getitem__)) if isinstance(size, Expr) else size

    for arch, holds in zip(archs, held, strict=True):
        options = {WIDTH: arch["width"], OTHER: arch["other"]}
        assert condition.met(options.__getitem__) == holds == (value(first, options) != value(second, options))
    assert set(condition.choices()) == {c for size in (first, second) if isinstance(size, Expr) for c in size.choices()}
