"""Hypothesis strategies for small random spaces, and what such a space holds by brute force."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from supernet.space import Choice, Expr, Space

OPTION_LISTS = [
    (7,),
    (1, 2),
    (3, 1, 2),
    (16, 24, 32, 48),
    ("conv", "skip"),
    (False, True),
    (3, "skip", (3, 5)),
    (0.5, 1),
]

Decisions = frozenset[tuple[str, Any]]


@st.composite
def conditions(draw: st.DrawFn, gates: list[Choice]) -> Expr:
    """A condition on one, two or three of the gates."""

    def atom() -> Expr:
        gate = draw(st.sampled_from(gates))
        numeric = all(isinstance(option, int | float) for option in gate.options)
        if numeric and draw(st.booleans()):
            return gate > draw(st.sampled_from(gate.options))
        return gate.is_in(draw(st.lists(st.sampled_from(gate.options), min_size=1, unique=True)))

    condition = atom()
    for _ in range(draw(st.integers(0, 2))):
        other = atom()
        condition = draw(st.sampled_from([condition & other, condition | other, condition & ~other]))
    return condition


@st.composite
def spaces(draw: st.DrawFn, *, restricted: bool = True) -> Space:
    """A space of one to five choices with gates, nested gates and, when asked for, forbidden options."""
    choices: list[Choice] = []
    for number in range(draw(st.integers(1, 5))):
        when = draw(conditions(choices)) if choices and draw(st.booleans()) else None
        options = draw(st.sampled_from(OPTION_LISTS))
        off = draw(st.sampled_from(options)) if when is not None and draw(st.booleans()) else None
        choices.append(Choice(f"c{number}", options, when=when, off=off))
    space = Space(choices)
    if restricted and draw(st.booleans()):
        kept = {
            choice.name: draw(st.lists(st.sampled_from(choice.options), min_size=1, unique=True))
            for choice in choices
            if draw(st.booleans())
        }
        space = space.restrict(kept)
    return space


def generators() -> st.SearchStrategy[np.random.Generator]:
    """Seeded random generators."""
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)


def is_active(choice: Choice, options: Mapping[Choice, Any]) -> bool:
    """The definition, one choice and one architecture at a time."""
    if choice.when is None:
        return True
    off = {gate: gate.off for gate in choice.when.choices() if not is_active(gate, options)}
    return None not in off.values() and bool(choice.when.evaluate(lambda gate: off.get(gate, options[gate])))


def architectures(space: Space) -> set[Decisions]:
    """Every distinct set of active decisions, by running through all joint options."""
    found = set()
    for options in itertools.product(*(space.allowed(name) for name in space.names)):
        chosen = dict(zip(space.choices, options, strict=True))
        found.add(frozenset((c.name, chosen[c]) for c in space.choices if is_active(c, chosen)))
    return found


def all_codes(space: Space) -> np.ndarray:
    """Every joint code of the allowed options, in no canonical form: (∏ counts, D)."""
    return np.asarray(list(itertools.product(*space.allowed_codes)), dtype=np.int16).reshape(-1, len(space))


def decisions(arch: Mapping[str, Any]) -> Decisions:
    """The active decisions of an architecture as a set."""
    return frozenset((name, option) for name, option in arch.items() if option is not None)


def ofa_like(stages: int) -> Space:
    """Stages of two to four blocks, each block with a kernel and an expansion ratio (Once-for-All)."""
    choices = []
    for stage in range(stages):
        depth = Choice(f"stage{stage}.depth", (2, 3, 4))
        choices.append(depth)
        for block in range(4):
            when = depth > block if block >= 2 else None
            choices.append(Choice(f"stage{stage}.block{block}.kernel", (3, 5, 7), when=when))
            choices.append(Choice(f"stage{stage}.block{block}.expand", (3, 4, 6), when=when))
    return Space(choices)


@st.composite
def score_pairs(draw: st.DrawFn, size: int = 30) -> tuple[list[float], list[float]]:
    """Two lists of equal length, with few or many ties, neither constant."""
    n = draw(st.integers(3, size))
    levels = draw(st.integers(1, 40))
    scores = st.lists(st.integers(0, levels), min_size=n, max_size=n).filter(lambda values: len(set(values)) > 1)
    return draw(scores), draw(scores)
