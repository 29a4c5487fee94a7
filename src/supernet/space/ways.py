"""Ways through a graph of nodes, where a choice at each node says which one comes next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.space.arch import Codes
from supernet.space.choice import Choice
from supernet.space.expression import Expr, Lookup
from supernet.space.space import Space

_OFF = -1


class Ways:
    """The routes from the first node of a graph to its last one, and the choices that decide between them.

    A node with several nodes behind it has a choice of the next one, which is active where a route comes by.

    Args:
        following: For each node but the last, in order, the nodes that may come next; all are later ones.
        name: The name of the choice at a node, with a place for its number.

    Attributes:
        following: As given.
        choices: The choice at each node but the last, whose options are nodes; None: one node alone can follow.

    Raises:
        UsageError: a node that comes before or is not there, one that nothing leads to, or one that leads nowhere.

    >>> ways = Ways([(1, 2), (2, 3), (3,)])
    >>> ways.count, list(ways.routes()), ways.choices[1].when is not None
    (3, [(0, 1, 2, 3), (0, 1, 3), (0, 2, 3)], True)
    """

    def __init__(self, following: Sequence[Sequence[int]], *, name: str = "block{}.next") -> None:
        self.following = tuple(map(tuple, following))
        self.last = len(self.following)
        reached = {node for nodes in self.following for node in nodes}
        for node, nodes in enumerate(self.following):
            if not nodes or not all(node < after <= self.last for after in nodes) or len(set(nodes)) < len(nodes):
                raise UsageError(
                    f"Behind the node {node} come {nodes}; give at least one, each once, of {node + 1} … {self.last}."
                )
            if node + 1 not in reached:
                raise UsageError(f"No node leads to the node {node + 1}. Let an earlier one do so, or leave it out.")
        self._on: list[Expr | None] = [None]
        self.choices: tuple[Choice | None, ...] = ()
        for node, nodes in enumerate(self.following):
            if node:
                self._on.append(self._entered(node))
            when = self._on[node]
            choice = None
            if len(nodes) > 1:
                # The longest jump leaves out most, so it is the smallest option.
                order = tuple(sorted(nodes, reverse=True))
                off = None if when is None else _OFF
                choice = Choice(name.format(node), nodes, when=when, order=order, off=off)
            self.choices = (*self.choices, choice)

    def __repr__(self) -> str:
        return f"Ways({list(self.following)})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Ways:
        return self  # as the choices, which a copy of a network keeps

    def _entered(self, node: int) -> Expr | None:
        """When a route comes by a node; None: always."""
        condition: Expr | None = None
        for before in range(node):
            if node in self.following[before]:
                choice = self.choices[before]
                one = self._on[before] if choice is None else choice.is_in((node,))
                if one is None:
                    return None
                condition = one if condition is None else condition | one
        return condition

    def on(self, node: int) -> Expr | None:
        """The condition that a route comes by a node (not the last), for choices inside it; None: always."""
        choice = self.choices[node]
        if choice is None or choice.when is None:
            return self._on[node]
        return choice.is_in(choice.options)  # the choice of the next node reads as none of them while it is off

    def taken(self, before: int, node: int) -> Expr | None:
        """The condition that a route goes from one node to another, for choices in between; None: always."""
        choice = self.choices[before]
        return self.on(before) if choice is None else choice.is_in((node,))

    @property
    def count(self) -> int:
        """The number of routes."""
        found = [0] * self.last + [1]
        for node in reversed(range(self.last)):
            found[node] = sum(found[after] for after in self.following[node])
        return found[0]

    def routes(self) -> Iterator[tuple[int, ...]]:
        """Every route, as its nodes."""

        def behind(route: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
            if route[-1] == self.last:
                yield route
                return
            for node in self.following[route[-1]]:
                yield from behind((*route, node))

        return behind((0,))

    def decisions(self, route: Sequence[int]) -> dict[str, int]:
        """The options of the choices along a route, by name.

        Raises:
            UsageError: it is no route.
        """
        whole = tuple(route[:1]) == (0,) and tuple(route[-1:]) == (self.last,)
        if not whole or any(node not in self.following[before] for before, node in pairwise(route)):
            raise UsageError(
                f"{tuple(route)} is no route from 0 to {self.last}: behind each node must come one of "
                f"{dict(enumerate(self.following))}."
            )
        found = ((self.choices[before], node) for before, node in pairwise(route))
        return {choice.name: node for choice, node in found if choice is not None}

    def route(self, lookup: Lookup) -> tuple[int, ...]:
        """The route of one architecture, of which `lookup(choice)` gives the options."""
        found = [0]
        while found[-1] != self.last:
            choice = self.choices[found[-1]]
            found.append(self.following[found[-1]][0] if choice is None else int(lookup(choice)))
        return tuple(found)

    def shortest(self, node: int) -> Mapping[int, int]:
        """The fewest jumps that lead to a node: the node behind each one."""
        found: dict[int, dict[int, int]] = {0: {}}
        for before in range(node):
            for after in self.following[before] if before in found else ():
                if after not in found or len(found[after]) > len(found[before]) + 1:
                    found[after] = {**found[before], before: after}
        return found[node]

    def before(self, node: int) -> tuple[Choice, ...]:
        """The choices that decide whether a route comes by a node."""
        leads = {node}
        for earlier in reversed(range(node)):
            if leads & set(self.following[earlier]):
                leads.add(earlier)
        return tuple(choice for earlier in sorted(leads - {node}) if (choice := self.choices[earlier]) is not None)

    def taken_by(self, space: Space, codes: Codes) -> NDArray[np.int64]:
        """The node (N, nodes − 1) behind each node on the route of each row of a population; −1: it is not on it."""
        found = np.full((len(codes), self.last), -1, dtype=np.int64)
        on = np.zeros((len(codes), self.last + 1), dtype=bool)
        on[:, 0] = True
        rows = np.arange(len(codes))
        for node, nodes in enumerate(self.following):
            choice = self.choices[node]
            place = 0 if choice is None else codes[:, space.column(choice.name)]
            after = np.broadcast_to(np.asarray(nodes)[place], len(codes))
            found[on[:, node], node] = after[on[:, node]]
            on[rows, after] |= on[:, node]
        return found


@dataclass(frozen=True)
class Passes:
    """The route comes by a node, and goes from there to another one, if that is given.

    >>> ways = Ways([(1, 2), (2,)])
    >>> Passes(ways, 1).met(lambda choice: 2), Passes(ways, 0, 2).met(lambda choice: 2)
    (False, True)
    """

    ways: Ways
    node: int
    after: int | None = None

    def choices(self) -> tuple[Choice, ...]:
        """What the condition asks about."""
        own = None if self.after is None else self.ways.choices[self.node]
        return (*self.ways.before(self.node), *(() if own is None else (own,)))

    def met(self, lookup: Lookup) -> bool:
        """Whether it holds for one architecture, of which `lookup(choice)` gives the options."""
        route = self.ways.route(lookup)
        return self.node in route if self.after is None else (self.node, self.after) in pairwise(route)

    def holds(self, space: Space, codes: Codes) -> Any:
        """For which rows (N,) of a population."""
        return self.among(self.ways.taken_by(space, codes))

    def among(self, taken: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For which rows (N,) of what `Ways.taken_by` said of a population."""
        if self.node == self.ways.last:
            return np.ones(len(taken), dtype=bool)
        behind = taken[:, self.node]
        return behind >= 0 if self.after is None else behind == self.after

    def example(self) -> dict[Choice, int]:
        """Codes of some of the choices, with which it holds, whatever the others are."""
        steps = {**self.ways.shortest(self.node), **({} if self.after is None else {self.node: self.after})}
        found = ((self.ways.choices[node], after) for node, after in steps.items())
        return {choice: choice.position(after) for choice, after in found if choice is not None}
