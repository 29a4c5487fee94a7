"""Blocks that are densely connected, between which choices find one route (DenseNAS)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.members import total
from supernet.nn.mutable import Mutable
from supernet.nn.selection import EdgeWeights, Mixture
from supernet.space import Choice
from supernet.space.conditions import Conditions
from supernet.space.ways import Passes, Ways


class Routes(nn.Module, Mutable):
    """Nodes 0 … n that lead to later ones: (B, C, H, W) at the first -> what the last one makes of it.

    Node j makes of its input what its body does; on the way from i to j runs the edge (i, j), which brings the output
    of i to the size of j (DenseNAS, [arXiv 1906.09607](https://arxiv.org/abs/1906.09607), §3.2). Where the choices of
    the next node are decided by indices, one route runs and nothing else. By a `Mixture` at node i, whose weights are
    those of the ways out of it, all of them run, and a node takes Σᵢ wᵢⱼ · edgeᵢⱼ(outputᵢ), eq. 5: what comes in does
    not add up to 1. An option that is not to run adds its weight to the node's input as a number.

    Args:
        ways: Which node may follow which, and the choices between them.
        edges: The module of each edge, by its two nodes.
        bodies: The module of each node.
        normalise_last: Whether what comes into the last node is weighed by the softmax of its weights instead, as in
            the code of DenseNAS; that of one route alone is as ever.

    Raises:
        UsageError: other edges, or another number of bodies, than the ways have.
    """

    mixes = True

    def __init__(
        self,
        ways: Ways,
        edges: Mapping[tuple[int, int], nn.Module],
        bodies: Sequence[nn.Module],
        *,
        normalise_last: bool = False,
    ) -> None:
        super().__init__()
        wanted = {(node, after) for node, nodes in enumerate(ways.following) for after in nodes}
        if set(edges) != wanted or len(bodies) != ways.last + 1:
            raise UsageError(
                f"The ways have {len(wanted)} edges between {ways.last + 1} nodes; got {len(edges)} edges "
                f"({len(wanted ^ set(edges))} differ) and {len(bodies)} bodies. Give one module for each."
            )
        self.ways, self.normalise_last = ways, normalise_last
        self.edges = nn.ModuleDict({_name(*edge): edges[edge] for edge in sorted(edges)})
        self.bodies = nn.ModuleList(bodies)

    def edge(self, node: int, after: int) -> nn.Module:
        """The module on the way from one node to another."""
        return self.edges[_name(node, after)]

    def forward(self, x: Tensor) -> Tensor:
        inputs: dict[int, list[Tensor]] = {0: [x]}
        numbers: dict[int, list[Tensor]] = {}
        last, weights = self.ways.last, list[Tensor]()
        for node in range(self.ways.last):
            if node not in inputs:
                continue
            out = self.bodies[node](_added(inputs.pop(node), numbers.pop(node, ())))
            for after, weight, runs in self._out_of(node):
                if runs and after == last and self.normalise_last and weight is not None:
                    inputs.setdefault(last, []).append(self.edge(node, last)(out))
                    weights.append(weight)
                elif runs:
                    found = self.edge(node, after)(out)
                    inputs.setdefault(after, []).append(found if weight is None else weight * found)
                elif weight is not None:
                    numbers.setdefault(after, []).append(weight)
        if weights:
            rest = inputs[last][len(weights) :]
            shares = torch.stack([*weights, *(weights[0].new_ones(()) for _ in rest)]).softmax(0).unbind()
            inputs[last] = [share * term for share, term in zip(shares, inputs[last], strict=True)]
        found = self.bodies[last](_added(inputs[last], numbers.get(last, ())))
        return cast(Tensor, found)

    def _out_of(self, node: int) -> list[tuple[int, Tensor | None, bool]]:
        """The nodes behind a node, with the weight of the way there (None: 1), and whether it runs."""
        nodes, choice = self.ways.following[node], self.ways.choices[node]
        if choice is None:
            return [(nodes[0], None, True)]
        decision = self.selection.decision(choice)
        assert not isinstance(decision, EdgeWeights)  # refused before: no node weighs what comes in
        if isinstance(decision, Mixture):
            run = range(len(nodes)) if decision.run is None else decision.run
            weights = decision.weights.unbind()
            return [(after, weights[place], place in run) for place, after in enumerate(nodes)]
        taken = (decision,) if isinstance(decision, int) else decision
        if not taken:
            raise UsageError(f"The subset decided for {choice.name!r} is empty; a route needs a next node.")
        return [(nodes[place], None, True) for place in taken]

    def depends_on(self) -> tuple[Choice, ...]:
        return tuple(choice for choice in self.ways.choices if choice is not None)

    def runs(self) -> dict[str, Conditions]:
        found: dict[str, Conditions] = {}
        for node, nodes in enumerate(self.ways.following):
            if self.ways.on(node) is not None:
                found[f"bodies.{node}"] = (Passes(self.ways, node),)
            for after in nodes:
                if self.ways.taken(node, after) is not None:
                    found[f"edges.{_name(node, after)}"] = (Passes(self.ways, node, after),)
        return found

    def plain(self) -> nn.Module:
        """The edges and bodies along the route, one after the other; `Supernet.extract` makes them plain in turn."""
        route = self.ways.route(self.selection.option)
        modules: list[nn.Module] = [self.bodies[0]]
        for node, after in itertools.pairwise(route):
            modules += [self.edge(node, after), self.bodies[after]]
        return nn.Sequential(*(module for module in modules if not _is_empty(module)))

    def extra_repr(self) -> str:
        return f"{self.ways.last + 1} nodes, {len(self.edges)} edges, {self.ways.count:,} routes"


def routes_of(net: nn.Module) -> Routes:
    """The routes of a network that has them at one place.

    Raises:
        UsageError: it has none, or several.
    """
    found = [module for module in net.modules() if isinstance(module, Routes)]
    if len(found) != 1:
        raise UsageError(
            f"The network has {len(found) or 'no'} places with routes between blocks, and one is needed. Use a space "
            "such as zoo.densenas."
        )
    return found[0]


def _name(node: int, after: int) -> str:
    return f"from{node}to{after}"


def _is_empty(module: nn.Module) -> bool:
    return isinstance(module, nn.Identity) or (isinstance(module, nn.Sequential) and not len(module))


def _added(terms: Sequence[Tensor], numbers: Sequence[Tensor]) -> Tensor:
    return total([*terms, total(numbers)] if numbers else terms)
