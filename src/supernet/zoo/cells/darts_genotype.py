"""The notation of DARTS's cells: genotypes, and the architectures that they describe."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from supernet.errors import UsageError
from supernet.space import Arch, Choice, Option, Space

Pairs: TypeAlias = tuple[tuple[str, int], ...]
"""Operations with the nodes that they run on, node after node; 0 and 1 are the inputs of the cell."""


class Genotype(NamedTuple):
    """Two cells in the notation of the authors' code; `repr` writes it and `zoo.darts_arch` reads that.

    Attributes:
        normal: (operation, source) of the normal cell, two for each node from 2 on.
        normal_concat: The nodes that the cell's output joins.
        reduce: Those of the reduction cell.
        reduce_concat: The nodes that its output joins.
    """

    normal: Pairs
    normal_concat: tuple[int, ...]
    reduce: Pairs
    reduce_concat: tuple[int, ...]

    def __repr__(self) -> str:
        parts = [f"{name}={list(value)!r}" for name, value in self._asdict().items()]
        return f"Genotype({', '.join(parts)})"


def darts_genotype(arch: Arch) -> Genotype:
    """The genotype of an architecture of `zoo.darts` or `zoo.robust_darts`.

    Raises:
        UsageError: an architecture of another space, or one whose nodes sum other numbers of edges than two or all.

    >>> from supernet import zoo
    >>> genotype = darts_genotype(zoo.darts(nodes=1, channels=2, layers=3).space.smallest())
    >>> genotype.normal, genotype.normal_concat
    ((('skip_connect', 0), ('skip_connect', 1)), (2,))
    """
    cells: list[Any] = []
    for cell in ("normal", "reduce"):
        pairs: list[tuple[str, int]] = []
        nodes = _nodes(arch.space, cell)
        for node in nodes:
            name = f"{cell}.{node}.inputs"
            kept = _tuple(arch[name]) if name in arch.space.names else range(node)
            pairs += [(str(arch[f"{cell}.{node}<-{source}"]), source) for source in kept]
        cells += [tuple(pairs), tuple(nodes)]
    return Genotype(*cells)


def darts_arch(space: Space, genotype: Genotype | str) -> Arch:
    """The architecture that a genotype describes.

    Args:
        space: The space of `zoo.darts` or `zoo.robust_darts`, or a part of it.
        genotype: A `Genotype`, or its text `Genotype(normal=[('sep_conv_3x3', 0), …], normal_concat=[2, 3, 4, 5],
            reduce=[…], reduce_concat=[…])` as the authors' code and those that follow it print it.

    Raises:
        UsageError: another space, a text that is no genotype, or cells that the space does not hold: other numbers of
            nodes or edges, an unknown operation, or one source twice.

    >>> from supernet import zoo
    >>> space = zoo.darts(nodes=1, channels=2, layers=3).space
    >>> cell = "[('sep_conv_3x3', 1), ('skip_connect', 0)]"
    >>> str(darts_arch(space, f"Genotype(normal={cell}, normal_concat=[2], reduce={cell}, reduce_concat=[2])"))[:53]
    'normal.2%3C-0=skip_connect,normal.2%3C-1=sep_conv_3x3'
    """
    found = read_genotype(genotype) if isinstance(genotype, str) else genotype
    options: dict[str, Any] = {}
    for cell, pairs, concat in (("normal", *found[:2]), ("reduce", *found[2:])):
        nodes = _nodes(space, cell)
        chosen = {node for node in nodes if f"{cell}.{node}.inputs" in space.names}  # the others keep all edges
        wanted = [2 if node in chosen else node for node in nodes]
        if len(pairs) != sum(wanted) or tuple(concat) != tuple(nodes):
            raise UsageError(
                f"The {cell} cell of the genotype has {len(pairs)} edges and joins the nodes {list(concat)}, but the "
                f"cells of this space have {sum(wanted)} and join {nodes}. Build the network with other nodes=… or "
                "inputs=…, or take another genotype."
            )
        start = 0
        for node, count in zip(nodes, wanted, strict=True):
            kept = sorted(pairs[start : start + count], key=lambda pair: pair[1])
            start += count
            sources = tuple(source for _, source in kept)
            if len(set(sources)) < count or not set(sources) <= set(range(node)):
                raise UsageError(
                    f"Node {node} of the {cell} cell takes its edges from {sources}; in this space it takes {count} "
                    f"different ones of 0 to {node - 1}."
                )
            if node in chosen:
                options[f"{cell}.{node}.inputs"] = sources
            for op, source in kept:
                _allow(space, f"{cell}.{node}<-{source}", op)
                options[f"{cell}.{node}<-{source}"] = op
    return space.arch(options)


def _allow(space: Space, edge: str, op: str) -> None:
    allowed = space.allowed(edge)
    if op not in allowed:
        hint = " Build the network with none=True." if op == "none" else ""
        raise UsageError(
            f"The genotype has {op!r} on the edge {edge!r}, where this space has {', '.join(map(str, allowed))}.{hint}"
        )


def _nodes(space: Space, cell: str) -> list[int]:
    """The nodes of a cell, by its edges."""
    targets: dict[int, list[Choice]] = {}
    for choice in space.choices:
        before, arrow, _ = choice.name.partition("<-")
        if arrow and before.startswith(f"{cell}.") and all(isinstance(option, str) for option in choice.options):
            targets.setdefault(int(before.removeprefix(f"{cell}.")), []).append(choice)
    fits = list(targets) == list(range(2, len(targets) + 2)) and all(len(e) == node for node, e in targets.items())
    inputs = [choice for choice in space.choices if choice.name in {f"{cell}.{node}.inputs" for node in targets}]
    pairs = all(len(_tuple(option)) == 2 for choice in inputs for option in choice.options)
    if not targets or not fits or not pairs:
        raise UsageError(
            "Genotypes describe cells whose nodes sum two of their edges or all, with one operation on each: those of "
            f"zoo.darts() and zoo.robust_darts(). The space given has {len(space)} choices "
            f"({', '.join(space.names[:3])} …)."
        )
    return list(targets)


def _tuple(option: Option | None) -> tuple[Any, ...]:
    return option if isinstance(option, tuple) else ()


def read_genotype(text: str) -> Genotype:
    """A genotype from its text, which is not executed.

    Raises:
        UsageError: it is no genotype.
    """
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError("it is no call Genotype(…) with names")
        given = {keyword.arg: _value(keyword.value) for keyword in call.keywords}
        if set(given) != set(Genotype._fields):
            raise ValueError(f"it needs {', '.join(Genotype._fields)}")
        normal, reduce = _pairs(given["normal"]), _pairs(given["reduce"])
        joined = (tuple(map(int, given[name])) for name in ("normal_concat", "reduce_concat"))
        return Genotype(normal, next(joined), reduce, next(joined))
    except (SyntaxError, ValueError, TypeError) as error:
        raise UsageError(
            f"{text[:80]!r} is not a genotype: {error}. Write Genotype(normal=[('sep_conv_3x3', 0), …], "
            "normal_concat=[2, 3, 4, 5], reduce=[…], reduce_concat=[…])."
        ) from error


def _value(node: ast.expr) -> Sequence[Any]:
    """A literal, or range(2, 6), as the authors' code prints it."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "range":
        return range(*(ast.literal_eval(argument) for argument in node.args))
    value: Sequence[Any] = ast.literal_eval(node)
    return value


def _pairs(given: Sequence[Any]) -> Pairs:
    return tuple((str(op), int(source)) for op, source in given)
