"""Architecture parameters that are the weights of operations themselves, without a softmax (SparseNAS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from supernet.errors import RunError, UsageError
from supernet.nn import Decisions, Supernet
from supernet.space.restriction import Restriction
from supernet.train.adapt.share_features import cells_of
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations._node_operations import NodeOperations, nodes_of_operations
from supernet.train.part import WEIGHTS, Setting
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.step import Step

__all__ = ["OperationWeights", "WeightPerOperation"]


class OperationWeights(nn.Module):
    """A weight A (N,) per node for the N operations that may feed it, of either sign; what has the weight 0 is out.

    [arXiv 2007.16112](https://arxiv.org/abs/2007.16112). A node is Σ A o(x) over its edges and their operations. The
    tensor of a node is the group of its penalty, see `HAPG`. Operations of the weight 0 are not computed. With
    `revive` they are in moves on the architecture, so that they have a gradient and may return.

    Where the space does not let a node, or an edge, be empty, its strongest operation runs even with the weight 0. A
    cell whose nodes are all empty ends the training: nothing passes it.

    Args:
        net: The supernet.
        initial: The weight that every operation begins with; None: 1 / (operations of its edge), as softmax has it.
        scale: The standard deviation of the noise on it.
        revive: Whether operations of the weight 0 may return.
        seed: The seed of the noise.

    Attributes:
        nodes: The nodes.
        cells: The numbers of the nodes of each kind of cell; of all nodes where there are no cells.
        weights: A (N,) of each node.

    Raises:
        UsageError: the supernet has other choices, or its options do not hold what weights could leave.
    """

    def __init__(
        self,
        net: Supernet,
        *,
        initial: float | None = None,
        scale: float = 1e-3,
        revive: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.nodes = nodes_of_operations(net, "A weight per operation")
        for node in self.nodes:
            check_any_edges(node)
        numbers = {node.name: number for number, node in enumerate(self.nodes)}
        cells = [tuple(numbers[node.name] for node in cell if node.name in numbers) for cell in cells_of(net)]
        self.cells = tuple(dict.fromkeys(cell for cell in cells if cell)) or (tuple(range(len(self.nodes))),)
        self.revive = revive
        generator = torch.Generator().manual_seed(seed)
        self.weights = nn.ParameterList()
        for node in self.nodes:
            counts = torch.tensor([float(len(node.edges[edge].open)) for edge, _ in node.places])
            start = 1 / counts if initial is None else torch.full_like(counts, initial)
            self.weights.append(nn.Parameter(start + scale * torch.randn(len(counts), generator=generator)))

    def kept(self, number: int, restriction: Restriction | None) -> list[int]:
        """The places of a node that run: those that are allowed and not 0, and what the space cannot do without."""
        node, values = self.nodes[number], self.weights[number].detach().abs().tolist()
        free = restriction is None or not restriction.kept
        allowed = [True] * len(values) if free else node.allowed(restriction)  # type: ignore[arg-type]
        found = {place for place, value in enumerate(values) if allowed[place] and value > 0}
        for places in self._indispensable(number):
            if not found & set(places):
                found |= set(sorted((p for p in places if allowed[p]), key=lambda place: -values[place])[:1])
        return sorted(found)

    def _indispensable(self, number: int) -> list[list[int]]:
        """Sets of places of a node of each of which one has to run in this space."""
        node = self.nodes[number]
        if node.inputs is not None:
            return [] if () in node.inputs.options else [list(range(len(node.places)))]
        return [
            [place for place, (edge, _) in enumerate(node.places) if edge == of]
            for of, operations in enumerate(node.edges)
            if operations.nothing is None
        ]

    def draw(self, step: Step, relaxation: Relaxation, use: str) -> Decisions:
        """Decisions that weigh operations by A; only what is kept has a gradient. No relaxation is asked.

        Raises:
            RunError: nothing is kept of a whole cell.
        """
        found = Decisions()
        self._check_left(step.restriction)
        for number, (node, weights) in enumerate(zip(self.nodes, self.weights, strict=True)):
            kept = self.kept(number, step.restriction)
            if self.revive and use != WEIGHTS:
                kept = list(range(len(weights)))
            mask = torch.zeros_like(weights).index_fill(0, torch.tensor(kept, device=weights.device).long(), 1.0)
            found |= node.decisions(weights * mask, kept)
        for name in step.net.space.names:
            found.setdefault(name, 0)  # on edges that are left out
        return found

    def probabilities(self, relaxation: Relaxation) -> Mapping[str, Tensor]:
        """How strongly each option is taken, by choice name (O,): the share of |A| on an edge; of sets 0 or 1."""
        found: dict[str, Tensor] = {}
        for node, weights in zip(self.nodes, self.weights, strict=True):
            for edge, strengths in zip(node.edges, node.per_edge(weights.detach()), strict=True):
                found[edge.choice.name] = edge.probabilities(strengths)
        return found

    def strengths(self, restriction: Restriction) -> dict[str, Tensor]:
        """|A| (N,) by node; not 0 for what is kept, and 0 for what is not.

        Raises:
            RunError: nothing is kept of a whole cell.
        """
        self._check_left(restriction)
        found: dict[str, Tensor] = {}
        for number, (node, weights) in enumerate(zip(self.nodes, self.weights, strict=True)):
            kept = torch.tensor(self.kept(number, restriction), device=weights.device).long()
            strengths = torch.zeros_like(weights.detach())
            strengths[kept] = weights.detach().abs()[kept].clamp_min(torch.finfo(weights.dtype).tiny)
            found[node.name] = strengths
        return found

    def _check_left(self, restriction: Restriction | None) -> None:
        for cell in self.cells:
            if not any(self.kept(number, restriction) for number in cell):
                raise RunError(
                    f"Every weight of the nodes {', '.join(repr(self.nodes[number].name) for number in cell)} has "
                    "become 0, so nothing passes their cell. Lower the penalty (architecture.penalty), or train for "
                    "fewer steps; earlier checkpoints are untouched."
                )


def check_any_edges(node: NodeOperations) -> None:
    """Raise a UsageError where some set of edges, or of operations of an edge that runs several, is no option."""
    if node.inputs is not None and len(set(node.inputs.options) - {()}) < 2 ** len(node.edges) - 1:
        raise UsageError(
            f"The node {node.name!r} was to keep any set of its {len(node.edges)} edges, but its options are "
            f"{list(node.inputs.options[:6])}. Use a space of other inputs, such as zoo.darts(inputs='any')."
        )
    for edge in node.edges:
        if edge.several and len(set(edge.options) - {()}) < 2**edge.count - 1:
            raise UsageError(
                f"The edge {edge.choice.name!r} was to run any set of its {edge.count} operations, but its options are "
                f"{list(edge.choice.options[:6])}. Make the options with space.subsets."
            )


@dataclass(frozen=True)
class WeightPerOperation:
    """Builds `OperationWeights` for the nodes of the supernet.

    Args:
        initial: The weight that every operation begins with; None: 1 / (operations of its edge).
        scale: The standard deviation of the noise on it.
        revive: Whether operations of the weight 0 may return.

    Raises:
        UsageError: a value outside its range.
    """

    initial: float | None = None
    scale: float = 1e-3
    revive: bool = False

    def __post_init__(self) -> None:
        if self.initial is not None:
            check_number("The initial weight of an operation", self.initial, above=0)
        check_number("The standard deviation of initial weights", self.scale, at_least=0)

    def __call__(self, setting: Setting) -> OperationWeights:
        """The module for one training."""
        return OperationWeights(
            setting.net, initial=self.initial, scale=self.scale, revive=self.revive, seed=setting.seed
        )
