"""Restrictions: what is allowed, decided and given back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from supernet.errors import UsageError
from supernet.space import Choice, Space
from supernet.space.restriction import Restriction

DEPTH = Choice("depth", (0, 1, 2))
OP = Choice("op", ("none", "skip", "conv"))
EDGES = Choice("edges", ((0, 1), (0, 2), (1, 2)), when=DEPTH > 0)
SPACE = Space([DEPTH, OP, EDGES])


def test_nothing_is_forbidden_at_first() -> None:
    restriction = Restriction(SPACE)
    assert restriction.space is SPACE
    assert (restriction.kept, restriction.to_json()) == ({}, {})
    assert [restriction.allowed(name) for name in SPACE.names] == [(0, 1, 2)] * 3
    assert [restriction.decided(name) for name in SPACE.names] == [None] * 3


def test_what_is_left_counts_and_is_a_part_of_the_space() -> None:
    """depth 1 or 2, two operations, one pair of edges: 2 · 2 · 1; depth 0 has no edges."""
    restriction = Restriction(SPACE)
    restriction.allow_all({"op": ("conv", "skip"), "edges": ((1, 2),)})
    assert restriction.allowed("op") == (1, 2)
    assert restriction.mask("op").tolist() == [False, True, True]
    assert restriction.space.size == 2 * (1 + 2)
    listed = list(restriction.space.enumerate())
    assert listed == [arch for arch in SPACE.enumerate() if arch in restriction.space]
    assert all(arch.space.fingerprint == SPACE.fingerprint for arch in listed)
    restriction.decide("depth", 2)
    assert (restriction.decided("depth"), restriction.decided("edges")) == (2, 2)
    assert restriction.space.size == 2
    assert restriction.space is restriction.space, "it is made once"


def test_options_are_given_back() -> None:
    restriction = Restriction(SPACE)
    restriction.decide("op", "conv")
    restriction.allow("op", ("none", "conv"))
    assert restriction.allowed("op") == (0, 2)
    restriction.allow("op", ("none", "skip", "conv"))
    assert restriction.kept == {}, "all of them are no restriction"
    restriction.decide("op", "conv")
    restriction.release("op")
    assert (restriction.kept, restriction.space.size) == ({}, SPACE.size)


def test_of_a_sub_space_no_more_is_given_back_than_it_has() -> None:
    part = SPACE.restrict({"op": ("skip", "conv")})
    restriction = Restriction(part)
    assert restriction.mask("op").tolist() == [False, True, True]
    restriction.decide("op", "skip")
    restriction.release("op")
    assert restriction.allowed("op") == (1, 2)
    with pytest.raises(UsageError, match=r"\['none'\] of 'op' were to be allowed, but the space has only \['skip', "):
        restriction.allow("op", ("none",))


def test_what_cannot_be_allowed() -> None:
    restriction = Restriction(SPACE)
    with pytest.raises(UsageError, match=r"No option of 'op' would be left. Leave at least one of \['none', 'skip', "):
        restriction.allow("op", ())
    with pytest.raises(UsageError):
        restriction.allow("op", ("pool",))
    for call in (restriction.release, restriction.allowed, restriction.decided, restriction.mask):
        with pytest.raises(UsageError, match="width"):
            call("width")
    assert restriction.kept == {}


def test_it_comes_back_from_a_checkpoint_and_from_its_file() -> None:
    restriction = Restriction(SPACE)
    restriction.allow_all({"op": ("conv", "skip"), "edges": ((1, 2),)})
    again = Restriction(SPACE, json.loads(json.dumps(restriction.kept)))
    assert again.space.allowed_codes[1].tolist() == [1, 2]
    assert np.array_equal(again.mask("edges"), restriction.mask("edges"))
    told = json.loads(json.dumps(restriction.to_json()))
    assert told == {"op": ["skip", "conv"], "edges": [[1, 2]]}
    assert SPACE.restrict(restriction.to_json()).size == restriction.space.size
    other = Restriction(SPACE)
    other.allow("edges", ((1, 2),))
    other.allow("op", ("skip", "conv"))
    assert json.dumps(other.to_json()) == json.dumps(told), "whatever was restricted first"


def test_what_is_kept_may_be_exchanged() -> None:
    restriction = Restriction(SPACE)
    restriction.decide("op", "conv")
    assert restriction.space.size == SPACE.size // 3
    restriction.kept = {"depth": [0]}
    assert restriction.space.size == 3
