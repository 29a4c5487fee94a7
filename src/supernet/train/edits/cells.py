"""What the choices of a space of cells belong to: the kind of cell, the node, the edge."""

from __future__ import annotations

from collections.abc import Iterable

from supernet.space import Choice, Space


def by_cell(names: Iterable[str]) -> dict[str, list[str]]:
    """Names of choices by the kind of cell that they stand in: what is before the first dot, or nothing without a dot.

    >>> by_cell(["normal.2<-0", "reduce.2<-0", "normal.2<-1"])
    {'normal': ['normal.2<-0', 'normal.2<-1'], 'reduce': ['reduce.2<-0']}
    >>> by_cell(["1<-0", "2<-0"])
    {'': ['1<-0', '2<-0']}
    """
    found: dict[str, list[str]] = {}
    for name in names:
        cell, dot, _ = name.partition(".")
        found.setdefault(cell if dot else "", []).append(name)
    return found


def chooses_inputs(choice: Choice) -> bool:
    """Whether the options of a choice are sets of numbers, those of the edges that a node sums.

    >>> chooses_inputs(Choice("normal.3", ((0, 1), (0, 2)))), chooses_inputs(Choice("op", ("skip", "conv")))
    (True, False)
    """
    return all(isinstance(option, tuple) and all(isinstance(edge, int) for edge in option) for option in choice.options)


def edges_of(choice: Choice) -> tuple[int, ...]:
    """The edges that some option of a choice of inputs names, ascending.

    >>> edges_of(Choice("normal.3", ((0, 1), (0, 2))))
    (0, 1, 2)
    """
    return tuple(sorted({edge for option in choice.options if isinstance(option, tuple) for edge in option}))


def nodes_of(space: Space) -> tuple[Choice, ...]:
    """The choices of a space that select the inputs of nodes, in its order."""
    return tuple(choice for choice in space.choices if chooses_inputs(choice))


def operations_of(space: Space) -> tuple[Choice, ...]:
    """The other choices of a space of cells, in its order: those of operations."""
    return tuple(choice for choice in space.choices if not chooses_inputs(choice))
