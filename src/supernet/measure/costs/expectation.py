"""Costs as a differentiable function of how much each option counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from supernet.errors import UsageError
from supernet.measure.costs.tables import Term, grid, joint
from supernet.nn import Decision, Decisions, EdgeWeights, Mixture
from supernet.space import Choice, Space
from supernet.space.conditions import Chosen, Condition, exclusive

_MAX_TABLE = 2**16

Group = tuple[tuple[tuple[str, int], ...], tuple[str, ...]]
"""Edges, as (node, position), whose weights multiply a table, and the choices that it is of."""


class ExpectedTerms:
    """The expectation of a sum of terms where every choice takes its options with given weights, independently.

    With one-hot weights it is the cost of that architecture; with probabilities the expected cost; in between it is
    linear in the weights of every choice. An edge of a node that is decided by `EdgeWeights` counts as much as its
    weight says.

    Args:
        space: The space.
        terms: The terms, as of `CostModel.terms`.
        weighed: The choices of inputs that are decided by `EdgeWeights`.

    Raises:
        UsageError: a term depends on too many choices at once, or on edges in another way than by running on one.
    """

    def __init__(self, space: Space, terms: Iterable[Term], weighed: frozenset[str] = frozenset()) -> None:
        found: dict[Group, NDArray[np.float64]] = {}
        for term in terms:
            for edges, plain in _without_edges(term, weighed):
                choices = plain.choices()
                if joint(choices) > _MAX_TABLE:
                    names = ", ".join(repr(choice.name) for choice in choices[:4])
                    raise UsageError(
                        f"A cost depends on {len(choices)} choices at once ({names} …), with {joint(choices):,} joint "
                        f"options; an expectation can be taken over {_MAX_TABLE:,}."
                    )
                values = plain.evaluate(space, grid(space, choices)).reshape([len(choice) for choice in choices])
                group = (edges, tuple(choice.name for choice in choices))
                found[group] = found.get(group, 0.0) + values
        self._space = space
        self._tables = {group: torch.from_numpy(np.asarray(table)) for group, table in found.items()}

    def __call__(self, decisions: Decisions) -> dict[Group, Tensor]:
        """The expectation of each group of terms that depend on the same choices; their sum is the whole.

        Raises:
            UsageError: a choice that costs depend on is not decided.
        """
        weights: dict[str, Tensor] = {}
        found: dict[Group, Tensor] = {}
        device = next((d.weights.device for d in decisions.values() if isinstance(d, Mixture | EdgeWeights)), None)
        for (edges, names), table in self._tables.items():
            value = table.to(device)
            for name in reversed(names):
                if name not in weights:
                    weights[name] = _weights(self._space.choices[self._space.column(name)], decisions).to(value)
                value = value @ weights[name]
            for node, edge in edges:
                value = value * decisions[node].weights[edge].to(value)  # type: ignore[union-attr]
            found[edges, names] = value
        return found


def _weights(choice: Choice, decisions: Mapping[str, Decision]) -> Tensor:
    """How much each option counts (O,)."""
    decision = decisions.get(choice.name)
    if isinstance(decision, Mixture):
        return decision.weights
    if decision is None or isinstance(decision, EdgeWeights):
        raise UsageError(f"An expected cost depends on {choice.name!r}, but nothing weighs its options.")
    taken = torch.zeros(len(choice), dtype=torch.float64)
    taken[list(decision) if isinstance(decision, tuple) else decision] = 1.0
    return taken


def _without_edges(term: Term, weighed: frozenset[str]) -> list[tuple[tuple[tuple[str, int], ...], Term]]:
    """The term as a sum of terms that do not ask about weighed inputs, each with the edges that it is multiplied by."""
    if not any(choice.name in weighed for choice in term.choices()):
        return [((), term)]
    found = []
    for conditions in term.alternatives:
        edges: list[tuple[str, int]] = []
        rest: list[Condition] = []
        for condition in conditions:
            if isinstance(condition, Chosen) and condition.choice.name in weighed:
                edges.append((condition.choice.name, _edge(condition)))
            else:
                rest.append(condition)
        found.append((tuple(edges), Term(term.size, (tuple(rest),), term.factors, term.by)))
    for _, plain in found:
        for choice in plain.choices():
            if choice.name in weighed:
                raise _unknown(choice.name)
    if not exclusive(term.alternatives):
        raise _unknown(min(weighed))
    return found


def _edge(condition: Chosen) -> int:
    """The edge that the options of a condition have in common, and no others."""
    options = condition.choice.options
    members = sorted({edge for option in options for edge in option})  # type: ignore[union-attr]
    for edge in members:
        if {index for index, option in enumerate(options) if edge in option} == set(condition.indices):  # type: ignore[operator]
            return int(edge)
    raise _unknown(condition.choice.name)


def _unknown(name: str) -> UsageError:
    return UsageError(
        f"A cost depends on the inputs {name!r} otherwise than by an edge that runs, so its expectation under weights "
        "of edges is not known. Weigh the options of the inputs instead (inputs='options'), or take a space in which "
        "nodes sum all their edges."
    )
