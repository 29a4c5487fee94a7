"""Logits of operations, and a threshold per node below which operations are out (EnTranNAS-DST)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Decisions, Supernet
from supernet.space.restriction import Restriction
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations._node_operations import NodeOperations, nodes_of_operations
from supernet.train.parametrisations.operation_weights import check_any_edges
from supernet.train.part import Setting
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.step import Step

__all__ = ["LogitsAndThresholds", "ThresholdedLogits"]


class ThresholdedLogits(nn.Module):
    """A logit α per operation of every edge, and a number β per node, from which sparse weights of operations follow.

    [arXiv 2101.11342](https://arxiv.org/abs/2101.11342). With p = softmax(α / τ) on every edge and the threshold
    t = sigmoid(β) of the node,

        q = ReLU(p / max p − t),  q̂ = q / Σ q,

    the maximum over all operations that may feed the node, the sum over those of the edge. Operations with q = 0 do not
    run, nor do edges without any; a node keeps as many as it likes, and at least the strongest.

    Args:
        net: The supernet.
        threshold: The threshold t that every node begins with, in (0, 1).
        temperature: τ, above 0.
        scale: The standard deviation of the initial logits.
        seed: The seed of the initial logits.

    Attributes:
        nodes: The nodes.
        logits: α (N,) of each node, for its operations edge after edge.
        thresholds: β () of each node.

    Raises:
        UsageError: the supernet has other choices, an edge that runs one operation alone, or options that do not hold
            what thresholds could leave.
    """

    def __init__(
        self,
        net: Supernet,
        *,
        threshold: float = 0.5,
        temperature: float = 1.0,
        scale: float = 1e-3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.nodes = nodes_of_operations(net, "A threshold per node")
        for node in self.nodes:
            check_any_edges(node)
            _check_holds(node)
        generator = torch.Generator().manual_seed(seed)
        self.logits = nn.ParameterList(
            nn.Parameter(scale * torch.randn(len(node.places), generator=generator)) for node in self.nodes
        )
        start = math.log(threshold / (1 - threshold))
        self.thresholds = nn.ParameterList(nn.Parameter(torch.tensor(start)) for _ in self.nodes)

    def weights(self, number: int, restriction: Restriction | None = None) -> Tensor:
        """q̂ (N,) of a node: 0 for what is out or forbidden, and 1 in sum on every edge that has something."""
        logits, edges = self.logits[number] / self.temperature, [len(edge.open) for edge in self.nodes[number].edges]
        if restriction is not None and restriction.kept:
            allowed = torch.tensor(self.nodes[number].allowed(restriction), device=logits.device)
            logits = logits.masked_fill(~allowed, float("-inf"))
        p = torch.cat([torch.nan_to_num(part.softmax(0)) for part in logits.split(edges)])
        over = (p / p.max() - self.thresholds[number].sigmoid()).relu()
        if not bool(over.any()):  # a threshold that has been rounded to 1
            over = torch.zeros_like(p).index_fill(0, p.argmax(), 1.0)
        sums = torch.stack([part.sum() for part in over.split(edges)])
        sums = torch.where(sums > 0, sums, torch.ones_like(sums))
        weights: Tensor = over / sums.repeat_interleave(torch.tensor(edges, device=over.device))
        return weights

    def draw(self, step: Step, relaxation: Relaxation, use: str) -> Decisions:
        """Decisions that weigh operations by q̂ and compute what is not 0. No relaxation is asked."""
        found = Decisions()
        for number, node in enumerate(self.nodes):
            weights = self.weights(number, step.restriction)
            found |= node.decisions(weights, weights.detach().nonzero().flatten().tolist())
        for name in step.net.space.names:
            found.setdefault(name, 0)  # on edges that are left out
        return found

    def probabilities(self, relaxation: Relaxation) -> Mapping[str, Tensor]:
        """How strongly each set of operations of an edge is taken, by choice name (O,): 0 or 1."""
        found: dict[str, Tensor] = {}
        for number, node in enumerate(self.nodes):
            for edge, strengths in zip(node.edges, node.per_edge(self.weights(number).detach()), strict=True):
                found[edge.choice.name] = edge.probabilities(strengths)
        return found

    def strengths(self, restriction: Restriction) -> dict[str, Tensor]:
        """q̂ (N,) by node."""
        return {node.name: self.weights(number, restriction).detach() for number, node in enumerate(self.nodes)}


def _check_holds(node: NodeOperations) -> None:
    for edge in node.edges:
        if not edge.several or (node.inputs is None and len(node.edges) > 1 and edge.nothing is None):
            raise UsageError(
                f"The node {node.name!r} was to keep any number of operations, but its edge {edge.choice.name!r} runs "
                f"{'at least one' if edge.several else 'one of them'}. Use zoo.darts(inputs='subsets', "
                "several_ops=True), or the method without thresholds: threshold=None."
            )


@dataclass(frozen=True)
class LogitsAndThresholds:
    """Builds `ThresholdedLogits` for the nodes of the supernet.

    Args:
        threshold: The threshold that every node begins with, in (0, 1).
        temperature: The temperature τ that logits are divided by, above 0.
        scale: The standard deviation of the initial logits.

    Raises:
        UsageError: a value outside its range.
    """

    threshold: float = 0.5
    temperature: float = 1.0
    scale: float = 1e-3

    def __post_init__(self) -> None:
        check_number("The initial threshold of a node", self.threshold, above=0, below=1)
        check_number("The temperature of the softmax", self.temperature, above=0)
        check_number("The standard deviation of the initial logits", self.scale, at_least=0)

    def __call__(self, setting: Setting) -> ThresholdedLogits:
        """The module for one training."""
        return ThresholdedLogits(
            setting.net,
            threshold=self.threshold,
            temperature=self.temperature,
            scale=self.scale,
            seed=setting.seed,
        )
