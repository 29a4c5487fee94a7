"""A recurrent cell: a first state of input and memory, nodes that each step on from earlier states, their mean."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from supernet.nn import ElasticBatchNorm1d
from supernet.nn.diagram import Diagram, Edge, Node
from supernet.nn.turns import Turn
from supernet.zoo.recurrent.language_model import mask_like, masked


class First(nn.Module):
    """The first state of a cell, of an input x and the state before h, (B, D) each: a step from h by [x, h] W.

    Args:
        op: A `Highway`, or a choice of several.
        linear: W, (2 D) -> (2 D).
        norm: What the halves go through before the step; None: nothing.
        after: What the state goes through; None: nothing.
    """

    def __init__(
        self, op: nn.Module, linear: nn.Module, norm: nn.Module | None = None, after: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.op, self.linear, self.norm, self.after = op, linear, norm, after

    def forward(self, x: Tensor, before: Tensor, hidden: Tensor | None) -> Tensor:
        halves = self.linear(torch.cat([x, masked(before, hidden)], dim=-1))
        state: Tensor = self.op(before, halves if self.norm is None else self.norm(halves))
        return state if self.after is None else self.after(state)


class RecurrentNode(nn.Module):
    """A state of a cell, the sum of the edges from earlier states that are taken.

    Args:
        inputs: The `InputChoice` of edges, each of which takes a state as it is and with features dropped.
        linear: The matrix that edges share, where they have none of their own.
        norm: The norm of the halves that edges share; None: none.
        after: What the state goes through; None: nothing.
    """

    def __init__(
        self,
        inputs: nn.Module,
        *,
        linear: nn.Module | None = None,
        norm: nn.Module | None = None,
        after: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.inputs, self.linear, self.norm, self.after = inputs, linear, norm, after

    def forward(self, states: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        state: Tensor = self.inputs(states)
        return state if self.after is None else self.after(state)


class RecurrentCell(nn.Module):
    """Vectors (B, T, D) -> states (B, T, D), by one cell that is repeated T times and begins with zeros.

    Args:
        first: What makes the first state, a `First` or a choice of several.
        nodes: What makes the others, each of all states before it.
        output: What makes one state of all: a list of T states (B, D) -> (B, D).
        length: T.
        turns: In which order the cell is decided.
        inputs: The dropout of what enters the cell; None: nothing is dropped.
        hidden: The dropout of the states that matrices take; None: nothing is dropped.
    """

    def __init__(
        self,
        first: nn.Module,
        nodes: Sequence[RecurrentNode],
        output: nn.Module,
        *,
        length: int,
        turns: Sequence[Turn],
        inputs: float,
        hidden: float,
    ) -> None:
        super().__init__()
        self.first, self.nodes, self.output = first, nn.ModuleList(nodes), output
        self.length, self.order = length, tuple(turns)
        self.drop_inputs = nn.Dropout(inputs) if inputs else None
        self.drop_hidden = nn.Dropout(hidden) if hidden else None

    def forward(self, x: Tensor) -> Tensor:
        state = torch.zeros_like(x[:, 0])
        entering, hidden = mask_like(state, self.drop_inputs), mask_like(state, self.drop_hidden)
        found = []
        for place in range(self.length):
            states = [self.first(masked(x[:, place], entering), state, hidden)]
            given = [(states[0], masked(states[0], hidden))]
            for node in self.nodes:
                states.append(node(given))
                given.append((states[-1], masked(states[-1], hidden)))
            state = self.output(states)
            found.append(state)
        return torch.stack(found, dim=1)

    def turns(self) -> tuple[Turn, ...]:
        """Node by node: the state that it takes, then what it does with it."""
        return self.order


class MeanOfNodes(nn.Module):
    """The mean of all states but the first: of n + 1 states (B, D) -> (B, D)."""

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(states[1:])).mean(0)


def same_norm(width: int, statistics: str) -> ElasticBatchNorm1d:
    """A BatchNorm without scale and shift, for all states of a cell and all places of a text."""
    return ElasticBatchNorm1d(width, affine=False, statistics=statistics)  # type: ignore[arg-type]


def matrix(width_in: int, width_out: int, spread: float) -> nn.Linear:
    """A linear layer without bias, uniform in ± `spread`."""
    layer = nn.Linear(width_in, width_out, bias=False)
    nn.init.uniform_(layer.weight, -spread, spread)
    return layer


def drawn_cell(steps: Sequence[tuple[int, str]], first: str, ends: Sequence[int]) -> Diagram:
    """The drawing of a cell.

    Args:
        steps: For each node from 1 on the state that it takes and its activation.
        first: The activation of node 0.
        ends: The nodes whose mean leaves the cell.
    """
    nodes = [Node("x", "input", kind="input"), Node("h", "state before", kind="input"), Node("0", "0", kind="node")]
    nodes += [Node(str(node), str(node), kind="node") for node in range(1, len(steps) + 1)]
    nodes.append(Node("out", "mean", kind="output"))
    edges = [Edge("x", "0", first), Edge("h", "0", first)]
    edges += [Edge(str(source), str(node), name) for node, (source, name) in enumerate(steps, 1)]
    return Diagram(tuple(nodes), (*edges, *(Edge(str(node), "out") for node in ends)))
