"""Sparse codes are recovered, and nodes whose code has settled are decided (ISTA-NAS)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.members import is_silent
from supernet.train.context import Context
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations._node_operations import NodeOperations, blocks_of, nodes_of_operations
from supernet.train.parametrisations.sparse_codes import SparseCodes


@dataclass(frozen=True, kw_only=True)
class RecoverCodes:
    """Solves the lasso of every open node, and decides a node whose code has moved by no more than `converged`.

    [arXiv 2010.06176](https://arxiv.org/abs/2010.06176). A node that is decided keeps its operations and their weights,
    which learn no more.

    Args:
        converged: The largest ‖Δx‖₂ from one recovery to the next at which a node is decided; 0: none is.
        part: The part of the recipe that holds the codes.
    """

    converged: float = 0.0
    part: str = "architecture"

    def __post_init__(self) -> None:
        check_number("The distance at which a code has converged", self.converged, at_least=0)

    def __call__(self, context: Context) -> dict[str, float]:
        """Recover; for the log how far codes have moved at most, and how many nodes are open."""
        codes = context.step.part(self.part, SparseCodes)
        moved = codes.recover(context.restriction)
        for number, node in enumerate(codes.nodes):
            if self.converged and moved.get(node.name, float("inf")) <= self.converged:
                decide(context, codes, number)
        still_open = sum(node.decided(context.restriction) is None for node in codes.nodes)
        return {"codes/moved": max(moved.values(), default=0.0), "codes/open": still_open}


@dataclass(frozen=True)
class AllDecided:
    """Ends a phase once every node is decided.

    Args:
        part: The part of the recipe that holds the codes.
    """

    part: str = "architecture"

    def __call__(self, context: Context) -> str | None:
        """The reason, once there is one."""
        codes = context.step.part(self.part, SparseCodes)
        done = all(node.decided(context.restriction) is not None for node in codes.nodes)
        return "every node is decided" if done else None


@dataclass(frozen=True)
class AbsorbCodes:
    """Decides every node that is still open, and makes the weights of operations part of their BatchNorms.

    Scale and shift of the BatchNorm that an operation ends with are multiplied by the operation's weight, so that the
    network computes what it did and the operations count once from now on. An operation that ends with none loses its
    weight.

    Args:
        part: The part of the recipe that holds the codes.
    """

    part: str = "architecture"

    @torch.no_grad()
    def __call__(self, context: Context) -> None:
        """Do it, at the beginning of a phase."""
        codes = context.step.part(self.part, SparseCodes)
        if bool(codes.absorbed):
            return  # a training that is resumed just here
        for number, node in enumerate(codes.nodes):
            if node.decided(context.restriction) is None:
                decide(context, codes, number)
            selected = codes.selected(number, context.restriction)
            weights = codes.weights(number, selected)
            for place in selected:
                edge, member = node.places[place]
                for block in blocks_of(context.net, node.edges[edge]):
                    norm = last_norm(block[member])
                    if norm is not None:
                        norm.weight.mul_(weights[place])
                        norm.bias.mul_(weights[place])
        codes.absorbed.fill_(True)


def decide(context: Context, codes: SparseCodes, number: int) -> None:
    """Leave one architecture of a node: the operations that its code selects."""
    node = codes.nodes[number]
    for name, option in node.options(codes.selected(number, context.restriction)).items():
        context.restriction.decide(name, option)


def last_norm(operation: nn.Module) -> nn.BatchNorm2d | None:
    """The BatchNorm with scale and shift that an operation ends with; None: it ends with something else."""
    last = [module for module in operation.modules() if next(module.children(), None) is None][-1]
    return last if isinstance(last, nn.BatchNorm2d) and last.affine else None


def operation_norms(net: Supernet) -> list[nn.Parameter]:
    """Scale and shift of all BatchNorms inside operations that nodes choose among.

    Raises:
        UsageError: there are none, or a choice of the supernet is something else.
    """
    found: dict[int, nn.Parameter] = {}
    nodes: tuple[NodeOperations, ...] = nodes_of_operations(net, "A sparse code")
    for node in nodes:
        for edge in node.edges:
            for block in blocks_of(net, edge):
                norms = (m for op in block.values() if not is_silent(op) for m in op.modules())
                for norm in norms:
                    if isinstance(norm, nn.BatchNorm2d) and norm.affine:
                        found |= {id(parameter): parameter for parameter in (norm.weight, norm.bias)}
    if not found:
        raise UsageError(
            "Weights of operations are to become part of their BatchNorms, but none of these learns scale and shift. "
            "Build the network with affine=True, as zoo.darts(affine=True, norm_all=True)."
        )
    return list(found.values())
