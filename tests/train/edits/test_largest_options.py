"""The largest options of some kinds of choices."""

from __future__ import annotations

import pytest

from supernet.errors import UsageError
from supernet.space import Choice, Space
from supernet.train import LargestOptions


def space() -> Space:
    depth = Choice("stage1.depth", (2, 4, 3))
    named = Choice("stage1.kind", ("wide", "narrow"), order=("narrow", "wide"))
    return Space([depth, named, Choice("stage1.block1.kernel", (3, 5), when=depth > 2), Choice("resolution", (8, 6))])


def test_the_largest_by_the_order_of_the_choice() -> None:
    found = LargestOptions({"depth": 2, "kernel": 1, "kind": 1, "resolution": None})(space())
    assert {name: tuple(options) for name, options in found.items()} == {
        "stage1.depth": (3, 4),
        "stage1.kind": ("wide",),
        "stage1.block1.kernel": (5,),
        "resolution": (6, 8),
    }


def test_more_than_there_are_is_all_and_a_part_of_the_space_gives_of_its_own() -> None:
    of = LargestOptions({"depth": 5, "kernel": 9, "kind": 2, "resolution": 1})
    assert {name: len(options) for name, options in of(space()).items()} == {
        "stage1.depth": 3,
        "stage1.kind": 2,
        "stage1.block1.kernel": 2,
        "resolution": 1,
    }
    assert of(space().restrict({"resolution": (6,)}))["resolution"] == [6]


def test_kinds_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match=r"the choice 'stage1.block1.kernel' has no number"):
        LargestOptions({"depth": 1, "kind": 1, "resolution": 1})(space())
    with pytest.raises(UsageError, match=r"no choice is called '…width'"):
        LargestOptions({"depth": 1, "kind": 1, "kernel": 1, "resolution": 1, "width": 1})(space())
    with pytest.raises(UsageError, match=r"are \{'depth': 0\}; give 1 or more"):
        LargestOptions({"depth": 0})
