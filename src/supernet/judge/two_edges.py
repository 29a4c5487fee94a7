"""Cells whose nodes keep two incoming edges (DARTS): the space, its exact sampling probabilities, its derivation.

The cells of `zoo.darts` are such, and their space is the one made here.

The papers leave open how such an architecture is drawn from architecture weights. The rule here follows the
discretisation of DARTS step by step, with "the largest" replaced by "drawn in proportion":

1. The strength of an edge is the largest probability among its operations other than `none`.
2. A node draws two of its incoming edges one after the other, without replacement, with probability proportional to
   strength. With S the sum of the strengths, the unordered pair has
   Pr({i, j}) = s_i/S · s_j/(S − s_i) + s_j/S · s_i/(S − s_j).
3. Each kept edge draws its operation from its probabilities without `none`, rescaled.

Nodes and cells are independent. So Pr(α) = ∏ over nodes of Pr(pair) · ∏ over kept edges of Pr(operation).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from supernet.errors import UsageError
from supernet.judge.distribution import Distribution
from supernet.rank.checks import Floats, distribution
from supernet.space import Arch, Choice, Space


def two_edge_choices(cell: str, ops: Sequence[str], *, nodes: int = 4, inputs: int = 2) -> list[Choice]:
    """The choices of one cell.

    Per intermediate node the pair of its sources, `"{cell}.{node}"`, and for every incoming edge the operation,
    `"{cell}.{node}<-{source}"`, which matters while the edge is kept.

    Args:
        cell: Name of the cell, such as `"normal"`.
        ops: Operations an edge can end with, without `none`.
        nodes: Number of intermediate nodes.
        inputs: Number of nodes the cell receives; they come first.

    Raises:
        UsageError: fewer than two inputs or no node, or `none` among the operations.

    >>> Space(two_edge_choices("normal", ("a", "b", "c", "d", "e", "f", "g"))).size == 180 * 7**8
    True
    """
    if inputs < 2 or nodes < 1:
        raise UsageError(f"A cell needs at least 2 inputs and 1 node; got inputs={inputs} and nodes={nodes}.")
    if "none" in ops:
        raise UsageError("A kept edge cannot be 'none'; leave it out of ops.")
    choices = []
    for node in range(inputs, inputs + nodes):
        pairs = tuple(itertools.combinations(range(node), 2))
        kept = Choice(f"{cell}.{node}", pairs)
        choices.append(kept)
        for source in range(node):
            when = kept.is_in([pair for pair in pairs if source in pair])
            choices.append(Choice(f"{cell}.{node}<-{source}", tuple(ops), when=when))
    return choices


def two_edge_distribution(
    space: Space, probabilities: Mapping[str, ArrayLike], *, none: int | None = 0
) -> Distribution:
    """The exact distribution over a space of `two_edge_choices`.

    Args:
        space: The space, of one or several cells.
        probabilities: Per edge, such as `"normal.3<-1"`, the probabilities of its operations: those of the choice in
            their order, with `none` inserted at its place.
        none: Place of `none` in these; None where there is no such operation.

    Raises:
        UsageError: the space has another form; probabilities that are none; or a node with fewer than two edges
            whose strength is above 0.
    """
    kept, strengths = _edges(space, probabilities, none)
    pairs = {node: pair_probabilities(strength, node) for node, strength in strengths.items()}
    return Distribution.independent(space, kept | pairs)


def derive_two_edges(space: Space, probabilities: Mapping[str, ArrayLike], *, none: int | None = 0) -> Arch:
    """What DARTS derives: per node its two strongest edges, on each the operation with the largest probability.

    Of equal ones the first is taken. The arguments and errors are those of `two_edge_distribution`.
    """
    kept, strengths = _edges(space, probabilities, none)
    decisions = {
        edge: space.choices[space.column(edge)].options[int(probability.argmax())] for edge, probability in kept.items()
    }
    for node, strength in strengths.items():
        first, second = sorted(np.argsort(-strength, kind="stable")[:2].tolist())
        decisions[node] = (first, second)
    return space.arch(decisions)


def pair_probabilities(strengths: ArrayLike, name: str = "the node") -> Floats:
    """Probability of each unordered pair of E edges, as `itertools.combinations` lists them (E(E − 1)/2,).

    Args:
        strengths: Strength (E,) of each edge.
        name: What the pairs are of, for the error message.

    Raises:
        UsageError: negative or not finite strengths, or fewer than two above 0.

    >>> pair_probabilities([1.0, 1.0, 2.0]).round(4).tolist()
    [0.1667, 0.4167, 0.4167]
    """
    s = np.asarray(strengths, dtype=np.float64)
    if s.ndim != 1 or not np.isfinite(s).all() or (s < 0).any() or (s > 0).sum() < 2:
        raise UsageError(
            f"Two edges are to be drawn for {name}, with the strengths {s.tolist()}; "
            "at least two must be above 0 and all must be finite and not negative."
        )
    s = s / s.sum()
    first, second = np.triu_indices(len(s), 1)
    return np.asarray(s[first] * s[second] * (1 / (1 - s[first]) + 1 / (1 - s[second])), dtype=np.float64)


def _edges(
    space: Space, probabilities: Mapping[str, ArrayLike], none: int | None
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Per edge the probabilities of its operations without `none`, and per node the strengths of its edges."""
    nodes = [choice for choice in space.choices if choice.when is None]
    edges = [choice for choice in space.choices if choice.when is not None]
    expected = [f"{node.name}<-{source}" for node in nodes for source in _sources(node)]
    if [edge.name for edge in edges] != expected:
        raise UsageError(
            "The space does not have the form of two_edge_choices: per node one choice of a pair of sources, and one "
            f"conditional choice of the operation per incoming edge. Its choices are {', '.join(space.names[:4])} …"
        )
    unknown, missing = set(probabilities) - set(expected), set(expected) - set(probabilities)
    if unknown or missing:
        raise UsageError(
            f"Give the probabilities of each edge and of nothing else: {sorted(missing) or 'none'} are missing, "
            f"{sorted(unknown) or 'none'} are unknown."
        )
    kept = {}
    strength = {}
    for edge in edges:
        size = len(edge) + (none is not None)
        checked = distribution(probabilities[edge.name], size, f"the edge {edge.name!r}")
        ops = checked if none is None else np.delete(checked, none)
        strength[edge.name] = ops.max()
        # An edge that is never kept may have nothing but `none`; its operation is never drawn.
        kept[edge.name] = ops / ops.sum() if ops.any() else np.full(len(ops), 1 / len(ops))
    strengths = {
        node.name: np.asarray([strength[f"{node.name}<-{source}"] for source in _sources(node)]) for node in nodes
    }
    return kept, strengths


def _sources(node: Choice) -> list[int]:
    pairs = [option for option in node.options if isinstance(option, tuple) and len(option) == 2]
    sources = sorted({source for pair in pairs for source in pair})
    if list(node.options) != list(itertools.combinations(sources, 2)) or sources != list(range(len(sources))):
        raise UsageError(
            f"The choice {node.name!r} does not choose a pair of the sources 0, 1, …, in the order of "
            "itertools.combinations; make the space with two_edge_choices."
        )
    return sources
