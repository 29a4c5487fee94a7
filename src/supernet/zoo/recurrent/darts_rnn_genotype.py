"""The notation of DARTS's recurrent cells: genotypes, and the architectures that they describe."""

from __future__ import annotations

import ast
from typing import Any

from supernet.errors import UsageError
from supernet.space import Arch, Space
from supernet.zoo.recurrent.highway import ACTIVATIONS

DARTS_PENN_TREEBANK = (
    "Genotype(recurrent=[('relu', 0), ('relu', 1), ('tanh', 2), ('relu', 3), ('relu', 4), ('identity', 1), "
    "('relu', 5), ('relu', 1)], concat=range(1, 9))"
)
"""The cell that the authors publish (`rnn/genotypes.py`), of 55.7 test perplexity when trained on Penn Treebank."""


def darts_rnn_arch(space: Space, genotype: str = DARTS_PENN_TREEBANK) -> Arch:
    """An architecture of `zoo.darts_rnn` from the authors' notation.

    Args:
        space: The space, whose cells have as many nodes as the genotype.
        genotype: `Genotype(recurrent=[('relu', 0), …], concat=range(1, 9))`, for each node its activation and the state
            that it takes. The default is the cell that the authors publish.

    Raises:
        UsageError: a text that is no genotype, another number of nodes, one that does not join all of them, or an
            activation or a state that this space does not have.

    >>> from supernet import zoo
    >>> space = zoo.darts_rnn(variant="tiny", nodes=2, num_classes=5).space
    >>> str(darts_rnn_arch(space, "Genotype(recurrent=[('tanh', 0), ('relu', 1)], concat=range(1, 3))"))
    '1%3C-0=tanh,2.input=1:,2%3C-1=relu'
    """
    nodes = _nodes(space)
    steps, joined = _read(genotype)
    if len(steps) != nodes or joined != list(range(1, nodes + 1)):
        raise UsageError(
            f"The genotype has {len(steps)} nodes and joins {joined}, but the cells of this space have {nodes} and "
            "join all of them. Build the network with other nodes=…, or take another genotype."
        )
    found: dict[str, Any] = {}
    for node, (activation, source) in enumerate(steps, 1):
        if not 0 <= source < node:
            raise UsageError(f"Node {node} of the genotype takes the state {source}; it may take 0 to {node - 1}.")
        allowed = space.allowed(f"{node}<-{source}")
        if activation not in allowed:
            raise UsageError(
                f"Node {node} of the genotype has the activation {activation!r}; this space has "
                f"{', '.join(map(str, allowed))}."
            )
        if node > 1:
            found[f"{node}.input"] = (source,)
        found[f"{node}<-{source}"] = activation
    return space.arch(found)


def darts_rnn_genotype(arch: Arch) -> str:
    """An architecture of `zoo.darts_rnn` in the authors' notation.

    Raises:
        UsageError: an architecture of another space.
    """
    nodes, steps = _nodes(arch.space), []
    for node in range(1, nodes + 1):
        option: Any = (0,) if node == 1 else arch[f"{node}.input"]
        (source,) = option
        steps.append((str(arch[f"{node}<-{source}"]), source))
    return f"Genotype(recurrent={steps!r}, concat=range(1, {nodes + 1}))"


def _nodes(space: Space) -> int:
    nodes = sum(name.endswith("<-0") for name in space.names)
    wanted = {f"{node}<-{source}" for node in range(1, nodes + 1) for source in range(node)}
    if not nodes or {name for name in space.names if not name.endswith(".input")} != wanted:
        raise UsageError(
            f"Genotypes of recurrent cells describe those of zoo.darts_rnn(); the space given has {len(space)} choices "
            f"({', '.join(space.names[:3])} …)."
        )
    return nodes


def _read(text: str) -> tuple[list[tuple[str, int]], list[int]]:
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError("it is no call Genotype(…) with names")
        given: dict[str | None, Any] = {}
        for keyword in call.keywords:
            value = keyword.value
            inside = isinstance(value, ast.Call) and ast.unparse(value.func) == "range"
            given[keyword.arg] = (
                range(*(ast.literal_eval(argument) for argument in value.args))  # type: ignore[attr-defined]
                if inside
                else ast.literal_eval(value)
            )
        if set(given) != {"recurrent", "concat"}:
            raise ValueError("it needs recurrent and concat")
        return [(str(name), int(source)) for name, source in given["recurrent"]], [int(n) for n in given["concat"]]
    except (SyntaxError, ValueError, TypeError) as error:
        raise UsageError(
            f"{text[:80]!r} is not a genotype of a recurrent cell: {error}. Write Genotype(recurrent=[('relu', 0), …], "
            f"concat=range(1, 9)), with activations of {', '.join(ACTIVATIONS)}."
        ) from error
