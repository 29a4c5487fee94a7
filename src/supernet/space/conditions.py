"""Under which decisions a part of a network runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from supernet.space.arch import Codes
from supernet.space.choice import Choice
from supernet.space.expression import Expr, Lookup
from supernet.space.space import Space
from supernet.space.ways import Passes


@dataclass(frozen=True)
class Chosen:
    """The choice takes one of the options with these indices; with none of them it never holds.

    >>> op = Choice("op", ("conv", "skip", "pool"))
    >>> Chosen(op, (0, 2)).met(lambda choice: "pool"), Chosen(op, (0, 2)).met(lambda choice: "skip")
    (True, False)
    """

    choice: Choice
    indices: tuple[int, ...]

    def choices(self) -> tuple[Choice, ...]:
        """What the condition asks about."""
        return (self.choice,)

    def met(self, lookup: Lookup) -> bool:
        """Whether it holds for one architecture, of which `lookup(choice)` gives the options."""
        return self.choice.position(lookup(self.choice)) in self.indices

    def holds(self, space: Space, codes: Codes) -> Any:
        """For which rows (N,) of a population."""
        return np.isin(codes[:, space.column(self.choice.name)], self.indices)


@dataclass(frozen=True)
class Deeper:
    """The depth of a stage exceeds the index of a block."""

    depth: Expr | int
    index: int

    def choices(self) -> tuple[Choice, ...]:
        """What the condition asks about."""
        return self.depth.choices() if isinstance(self.depth, Expr) else ()

    def met(self, lookup: Lookup) -> bool:
        """Whether it holds for one architecture, of which `lookup(choice)` gives the options."""
        depth = self.depth.evaluate(lookup) if isinstance(self.depth, Expr) else self.depth
        return bool(depth > self.index)

    def holds(self, space: Space, codes: Codes) -> Any:
        """For which rows (N,) of a population; a single truth value where the depth is fixed."""
        return space.values(codes, self.depth) > self.index


@dataclass(frozen=True)
class Differ:
    """Two sizes are not the same, such as the widths before and behind a block.

    >>> width = Choice("width", (16, 24))
    >>> [Differ(width, 16).met(lambda choice, w=w: w) for w in (16, 24)]
    [False, True]
    """

    first: Expr | int
    second: Expr | int

    def choices(self) -> tuple[Choice, ...]:
        """What the condition asks about."""
        asked = (size.choices() for size in (self.first, self.second) if isinstance(size, Expr))
        return tuple(dict.fromkeys(choice for choices in asked for choice in choices))

    def met(self, lookup: Lookup) -> bool:
        """Whether it holds for one architecture, of which `lookup(choice)` gives the options."""
        first, second = (s.evaluate(lookup) if isinstance(s, Expr) else s for s in (self.first, self.second))
        return bool(first != second)

    def holds(self, space: Space, codes: Codes) -> Any:
        """For which rows (N,) of a population; a single truth value where both are fixed."""
        return space.values(codes, self.first) != space.values(codes, self.second)


@dataclass(frozen=True)
class Never:
    """No architecture: the part helps a training and belongs to no subnet, such as an auxiliary head."""

    def choices(self) -> tuple[Choice, ...]:
        """Nothing."""
        return ()

    def met(self, lookup: Lookup) -> bool:
        """False."""
        return False

    def holds(self, space: Space, codes: Codes) -> Any:
        """False for every row."""
        return False


Condition: TypeAlias = Chosen | Deeper | Differ | Never | Passes

Conditions: TypeAlias = tuple[Condition, ...]
"""All of them must hold."""


def all_hold(conditions: Conditions, space: Space, codes: Codes) -> Any:
    """For which rows (N,) of a population every condition holds."""
    held = np.ones(len(codes), dtype=bool)
    for condition in conditions:
        held &= condition.holds(space, codes)
    return held


def exclusive(alternatives: Sequence[Conditions]) -> bool:
    """Whether no architecture meets two of these, as far as the options of one choice tell.

    >>> op = Choice("op", ("conv", "skip", "pool"))
    >>> exclusive([(Chosen(op, (0,)),), (Chosen(op, (1, 2)),)]), exclusive([(Chosen(op, (0, 1)),), ()])
    (True, False)
    """
    asked = [{c.choice: set(c.indices) for c in conditions if isinstance(c, Chosen)} for conditions in alternatives]
    return all(
        any(not indices & second.get(choice, indices) for choice, indices in first.items())
        for place, first in enumerate(asked)
        for second in asked[place + 1 :]
    )
