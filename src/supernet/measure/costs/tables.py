"""Costs that are sums of terms, each of which depends on few choices: tabulated once, then looked up."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supernet.space import Choice, Codes, Expr, Space
from supernet.space.conditions import Conditions, all_hold
from supernet.space.expression import Lookup
from supernet.space.ways import Passes, Ways

_MAX_TABLE = 2**16


@dataclass(frozen=True)
class Term:
    """`size · factor`, where the conditions of any alternative hold; 0 elsewhere.

    Attributes:
        size: The factor that varies with the architecture, such as a width; a number where nothing varies.
        factors: One per joint setting of the choices in `by`.
        by: The choices that decide the factor.
        alternatives: Sets of conditions, of which one must hold for the term to count.
    """

    size: Expr | float
    alternatives: tuple[Conditions, ...] = ((),)
    factors: tuple[float, ...] = (1.0,)
    by: tuple[Choice, ...] = ()

    def choices(self) -> tuple[Choice, ...]:
        """Everything the term depends on."""
        found = list(self.size.choices()) if isinstance(self.size, Expr) else []
        found += [choice for conditions in self.alternatives for c in conditions for choice in c.choices()]
        return tuple(dict.fromkeys([*found, *(self.by if len(set(self.factors)) > 1 else ())]))

    def evaluate(self, space: Space, codes: Codes) -> NDArray[np.float64]:
        """Value (N,) for every row of a population."""
        counts = np.zeros(len(codes), dtype=bool)
        for conditions in self.alternatives:
            counts |= all_hold(conditions, space, codes)
        factor = np.asarray(self.factors)[setting(space, self.by, codes)]
        return np.where(counts, factor * space.values(codes, self.size), 0.0)


class Tabulated(Expr):
    """An expression known only by its values: one per joint setting of its choices, in the order of `grid`."""

    __slots__ = ("_choices", "_values")

    def __init__(self, choices: Sequence[Choice], values: Iterable[float]) -> None:
        self._choices = tuple(choices)
        self._values = np.asarray(list(values), dtype=np.float64)

    def evaluate(self, lookup: Lookup) -> Any:
        place: Any = 0
        for choice in self._choices:
            place = place * len(choice) + _positions(choice, lookup(choice))
        return self._values[place]

    def choices(self) -> tuple[Choice, ...]:
        return self._choices


class Tables:
    """A sum of terms over whole populations. Terms that depend on the same choices share a table.

    Args:
        space: The space whose populations are asked for.
        terms: The terms that are added up.
    """

    def __init__(self, space: Space, terms: Iterable[Term]) -> None:
        self._space, self.terms = space, tuple(terms)
        self._direct: list[Term] = []
        groups: dict[tuple[Choice, ...], list[Term]] = {}
        routed, others = by_route(self.terms)
        # Whether a route comes by depends on all choices before, so it is asked once and not tabulated.
        self._routed = [(passes, Tables(space, members)) for passes, members in routed.items()]
        for term in sorted(others, key=lambda term: -len(term.choices())):
            wanted = term.choices()
            if joint(wanted) > _MAX_TABLE:
                self._direct.append(term)
                continue
            home = next((choices for choices in groups if set(wanted) <= set(choices)), wanted)
            groups.setdefault(home, []).append(term)
        self._tables: Mapping[tuple[Choice, ...], NDArray[np.float64]] = {
            choices: _total(members, space, grid(space, choices)) for choices, members in groups.items()
        }

    def __call__(self, codes: Codes) -> NDArray[np.float64]:
        """Sums (N,) for the rows of a population."""
        total = _total(self._direct, self._space, codes)
        by_column = np.asfortranarray(codes)
        for choices, table in self._tables.items():
            total += table[setting(self._space, choices, by_column)]
        taken: dict[Ways, NDArray[np.int64]] = {}
        for passes, members in self._routed:
            ways = passes.ways
            if ways not in taken:
                taken[ways] = ways.taken_by(self._space, by_column)
            total += np.where(passes.among(taken[ways]), members(codes), 0.0)
        return total


def by_route(terms: Iterable[Term]) -> tuple[dict[Passes, list[Term]], list[Term]]:
    """Terms that count where a route comes by, without that condition, by it; and the other terms."""
    routed: dict[Passes, list[Term]] = {}
    others: list[Term] = []
    for term in terms:
        passes = [c for conditions in term.alternatives for c in conditions if isinstance(c, Passes)]
        if len(passes) == 1 and len(term.alternatives) == 1:
            rest = tuple(c for c in term.alternatives[0] if c is not passes[0])
            routed.setdefault(passes[0], []).append(replace(term, alternatives=(rest,)))
        else:
            others.append(term)
    return routed, others


def joint(choices: Iterable[Choice]) -> int:
    """Number of joint settings."""
    return math.prod(len(choice) for choice in choices)


def grid(space: Space, choices: Sequence[Choice]) -> Codes:
    """Codes (∏ options, D) of every joint setting of some choices; the others stay at 0."""
    codes = np.zeros((joint(choices), len(space)), dtype=np.int16)
    if choices:
        places = np.indices([len(choice) for choice in choices]).reshape(len(choices), -1)
        codes[:, [space.column(choice.name) for choice in choices]] = places.T
    return codes


def setting(space: Space, choices: Sequence[Choice], codes: Codes) -> NDArray[np.int64]:
    """Row (N,) of `grid` that agrees with each row of a population on these choices."""
    number = np.zeros(len(codes), dtype=np.int64)
    for choice in choices:
        number *= len(choice)
        number += codes[:, space.column(choice.name)]
    return number


def _total(terms: Iterable[Term], space: Space, codes: Codes) -> NDArray[np.float64]:
    total = np.zeros(len(codes))
    for term in terms:
        total += term.evaluate(space, codes)
    return total


def _positions(choice: Choice, options: Any) -> Any:
    if isinstance(options, np.ndarray):
        return np.asarray([choice.position(option) for option in options.tolist()], dtype=np.int64)
    return choice.position(options)
