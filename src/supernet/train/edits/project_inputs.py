"""The edges without which the supernet is worst are kept (DARTS-PT)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np
import torch

from supernet.errors import UsageError
from supernet.nn import Decisions, EdgeWeights
from supernet.space import Choice, Option, Space
from supernet.train.context import Context
from supernet.train.edits.cells import by_cell, edges_of, nodes_of
from supernet.train.edits.project_operations import PROJECTION, check_measure
from supernet.train.parametrisations._protocol import drawn
from supernet.train.parametrisations.operation_choices import input_choices
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.relaxations.softmax import Softmax


@dataclass(frozen=True, kw_only=True)
class ProjectInputs:
    """Decides the inputs of one open node in every kind of cell by leaving out one edge after the other.

    [arXiv 2108.04392](https://arxiv.org/abs/2108.04392), §4.3. An open node is drawn at random. As long as it has more
    edges than it may keep, each of them is left out in turn, and the one without which the supernet is best is deleted,
    of equal ones the last.

    Args:
        deletion: `"cumulative"`: edges that were deleted stay away while others are rated (the paper); `"released"`:
            they are back then (the authors' code).
        edges: Number of edges that a node keeps; fewer where it has fewer.
        measure: What makes the supernet worst, see `ProjectOperations`.
        relaxation: The rule by which logits become mixtures, as in the training.
        data: The split that rates.
        part: The part of the recipe that holds the logits.
    """

    deletion: Literal["cumulative", "released"] = "cumulative"
    edges: int = 2
    measure: Literal["error", "loss"] = "error"
    relaxation: Relaxation = field(default_factory=Softmax)
    data: str = "validation"
    part: str = "architecture"

    def __post_init__(self) -> None:
        check_measure(self.measure)
        if self.deletion not in ("cumulative", "released"):
            raise UsageError(f"Edges are deleted 'cumulative' or as 'released'; got {self.deletion!r}.")
        if self.edges < 1:
            raise UsageError(f"A node was to keep {self.edges} edges; give at least 1.")

    def __call__(self, context: Context) -> None:
        """Decide, at the beginning of a phase."""
        rng = np.random.default_rng(context.seed)
        nodes = {choice.name: choice for choice in input_choices(context.net)}
        for names in by_cell(nodes).values():
            still_open = [name for name in names if context.restriction.decided(name) is None]
            if still_open:
                node = nodes[still_open[int(rng.integers(len(still_open)))]]
                context.restriction.decide(node.name, self.best(context, node))

    def best(self, context: Context, node: Choice) -> Option:
        """The set of edges, an option of the node's choice, that is left when all others are deleted.

        Raises:
            UsageError: the choice has no such option.
        """
        kept = list(edges_of(node))
        while len(kept) > self.edges:
            present = kept if self.deletion == "cumulative" else edges_of(node)
            ratings = self._without(context, node.name, present, kept)
            kept.pop(len(kept) - 1 - int(np.argmin(ratings[::-1])))
        for option in context.restriction.space.allowed(node.name):
            if isinstance(option, tuple) and set(option) == set(kept):
                return option
        raise UsageError(missing(node, kept))

    def _without(self, context: Context, name: str, present: Sequence[int], candidates: Sequence[int]) -> list[float]:
        """How bad the supernet is without each candidate, where only some edges of the node are there."""
        decisions = drawn(context.step, self.part, self.relaxation, PROJECTION)
        left = [tuple(edge for edge in present if edge != candidate) for candidate in candidates]
        targets = [Decisions({**decisions, name: only(run, context.net.nodes[name])}) for run in left]
        return context.step.rate(targets, data=self.data, measure=self.measure)


def only(run: tuple[int, ...], count: int) -> EdgeWeights:
    """Weights by which these edges of a node with `count` edges count once, and the others not at all.

    >>> only((0, 2), 3)
    EdgeWeights(weights=tensor([1., 0., 1.]), run=(0, 2))
    """
    weights = torch.zeros(count)
    weights[list(run)] = 1
    return EdgeWeights(weights, run)


def check_nodes(space: Space, edges: int) -> None:
    """Raise a UsageError if a node of a space could be left with a set of edges that its choice does not have."""
    for node in nodes_of(space):
        options = {frozenset(option) for option in node.options if isinstance(option, tuple)}
        for kept in combinations(edges_of(node), min(edges, len(edges_of(node)))):
            if frozenset(kept) not in options:
                raise UsageError(missing(node, kept))


def missing(node: Choice, edges: Sequence[int]) -> str:
    """The sentence about a choice of inputs that has no option of these edges."""
    return (
        f"The node {node.name!r} was to keep the edges {sorted(edges)}, but its choice has no such option: "
        f"{list(node.options[:6])}. Let it keep another number of edges, or use a space whose nodes choose among all "
        "sets of that many, such as zoo.darts."
    )
