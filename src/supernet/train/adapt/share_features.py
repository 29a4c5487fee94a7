"""The nodes of a cell take the same features of the nodes before them (EnTranNAS)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from supernet.errors import UsageError
from supernet.nn import InputChoice, OpChoice, SubsetChoice, Supernet
from supernet.nn.members import is_silent
from supernet.nn.shared import SharedOperation


@dataclass(frozen=True)
class ShareFeatures:
    """An operation on a node has one set of weights in its cell, and runs once, for all nodes after it.

    [arXiv 2101.11342](https://arxiv.org/abs/2101.11342): "feature sharing". The nodes of a cell are those that stand in
    one `ModuleList`; the edge number i of each runs on the state number i. Of each operation that of the first node
    with this edge stays. Where there are no such nodes nothing is changed.
    """

    def __call__(self, net: Supernet) -> Supernet:
        """The same supernet, whose operations are shared from now on.

        Raises:
            UsageError: an edge does something before its operations.
        """
        for nodes in cells_of(net):
            first: dict[tuple[int, str], SharedOperation] = {}
            for node in nodes:
                for source, edge in enumerate(node.edges):
                    operations = _operations(edge)
                    for name, operation in operations.items():
                        if isinstance(operation, SharedOperation):  # of a network that was adapted before
                            first[source, name] = operation
                        elif not isinstance(operation, nn.Identity) and not is_silent(operation):
                            if (source, name) not in first:
                                first[source, name] = SharedOperation(operation).train(operation.training)
                                nodes[-1].register_forward_hook(first[source, name].forget)
                            operations[name] = first[source, name]
        return Supernet(net.module, input_shape=net.input_shape)


def cells_of(net: Supernet) -> Iterator[list[InputChoice]]:
    """The nodes of each cell."""
    for row in net.modules():
        if isinstance(row, nn.ModuleList) and len(row):
            nodes = [node for node in row if isinstance(node, InputChoice)]
            if len(nodes) == len(row):
                yield nodes


def _operations(edge: nn.Module) -> nn.ModuleDict:
    """The operations of an edge, by name; they are exchanged in place."""
    block = edge if isinstance(edge, OpChoice | SubsetChoice) else getattr(edge, "op", None)
    if isinstance(block, OpChoice):
        return block.candidates
    if isinstance(block, SubsetChoice):
        return block.members
    raise UsageError(
        f"Features of nodes were to be shared, but an edge ({type(edge).__name__}, {type(block).__name__}) does more "
        "with its state than to run its operations. Build the space without it, as zoo.darts(partial=1), or leave "
        "features apart: share=False."
    )
