"""What a network of routes costs where choices weigh the ways, by a recursion from its end (DenseNAS)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from supernet.errors import UsageError
from supernet.measure.costs.expectation import ExpectedTerms
from supernet.measure.costs.tables import Tabulated, Term, by_route, grid
from supernet.nn import Decisions, EdgeWeights, Mixture
from supernet.space import Choice, Space
from supernet.space.ways import Ways


class ChainedTerms:
    """The expected cost over all routes, where each node goes on to the next by weights of its own.

    costᵢ = bodyᵢ + Σⱼ wᵢⱼ (edgeᵢⱼ + costⱼ), from the last node to the first (DenseNAS,
    [arXiv 1906.09607](https://arxiv.org/abs/1906.09607), eq. 8–9); bodies and edges are the expectations of what they
    consist of. What is on no route counts whole.

    Args:
        space: The space.
        terms: The terms, as of `CostModel.terms`.
        ways: The ways between nodes.
        skip_share: What an option costs that costs nothing, as a share of the first option of its choice.

    Raises:
        UsageError: a term counts on one of several routes, or depends on too many choices at once.
    """

    def __init__(self, space: Space, terms: Iterable[Term], ways: Ways, *, skip_share: float = 0.0) -> None:
        routed, others = by_route(terms)
        nexts = {choice for choice in ways.choices if choice is not None}
        tangled = [term for term in others if nexts & set(term.choices())]
        if tangled or any(passes.ways is not ways for passes in routed):
            raise UsageError(
                "A cost depends on routes otherwise than by a block or a way that one comes by, such as through "
                "weights that two blocks share, so it is no sum along a route. Use an expected cost of another kind."
            )
        self._ways = ways
        self._fixed = ExpectedTerms(space, others)
        self._on = {
            (passes.node, passes.after): ExpectedTerms(space, _charged(space, members, skip_share))
            for passes, members in routed.items()
        }

    def __call__(self, decisions: Decisions) -> Tensor:
        """The cost, a scalar of float64 with a gradient to the weights of ways and operations.

        Raises:
            UsageError: a choice that costs depend on is not decided.
        """
        ways = self._ways
        costs: dict[int, Tensor] = {ways.last: self._of(decisions, ways.last, None)}
        for node in reversed(range(ways.last)):
            cost = self._of(decisions, node, None)
            for after, weight in zip(ways.following[node], self._weights(decisions, node), strict=True):
                cost = cost + weight * (self._of(decisions, node, after) + costs[after])
            costs[node] = cost
        return _sum(self._fixed(decisions).values()) + costs[0]

    def _of(self, decisions: Decisions, node: int, after: int | None) -> Tensor:
        terms = self._on.get((node, after))
        return torch.zeros((), dtype=torch.float64) if terms is None else _sum(terms(decisions).values())

    def _weights(self, decisions: Decisions, node: int) -> Iterable[Tensor]:
        choice = self._ways.choices[node]
        if choice is None:
            return torch.ones(1, dtype=torch.float64)
        decision = decisions.get(choice.name)
        if isinstance(decision, Mixture):
            return decision.weights.double()
        if decision is None or isinstance(decision, EdgeWeights):
            raise UsageError(f"A cost of routes depends on {choice.name!r}, but nothing weighs its options.")
        taken = torch.zeros(len(choice), dtype=torch.float64)
        taken[list(decision) if isinstance(decision, tuple) else decision] = 1.0
        return taken


def _sum(values: Iterable[Tensor]) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for value in values:
        total = total + value.to(torch.float64)
    return total


def _charged(space: Space, terms: Iterable[Term], skip_share: float) -> list[Term]:
    """The terms, those of a single choice added up, where an option that costs nothing is charged its share."""
    if not skip_share:
        return list(terms)
    tables: dict[Choice, NDArray[np.float64]] = defaultdict(lambda: np.zeros(1))
    others = []
    for term in terms:
        if len(term.choices()) == 1:
            choice = term.choices()[0]
            tables[choice] = tables[choice] + term.evaluate(space, grid(space, [choice]))
        else:
            others.append(term)
    charged = {choice: np.where(table == 0, skip_share * table[0], table) for choice, table in tables.items()}
    return [*others, *(Term(Tabulated([choice], table)) for choice, table in charged.items())]
