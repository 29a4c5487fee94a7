"""What one state of a recurrent cell becomes in the next: a gated step towards an activation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from supernet.nn.members import is_silent

ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")
"""The activations that a node can end with, in the order of the code of DARTS."""

_MODULES: dict[str, type[nn.Module]] = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
}


class Highway(nn.Module):
    """s + σ(c) ⊙ (f(h) − s) of a state s (B, D) and the two halves [c, h] (B, 2 D) that a matrix makes of it.

    Args:
        activation: f, one of `ACTIVATIONS`.
    """

    def __init__(self, activation: str) -> None:
        super().__init__()
        self.activation = _MODULES[activation]()

    def forward(self, state: Tensor, halves: Tensor) -> Tensor:
        gate, towards = halves.chunk(2, dim=-1)
        out: Tensor = state + torch.sigmoid(gate) * (self.activation(towards) - state)
        return out


class NoStep(nn.Module):
    """The operation `none` between two states: zeros (B, D), which a sum leaves out."""

    silent = True

    def forward(self, state: Tensor, halves: Tensor) -> Tensor:
        return torch.zeros_like(state)


class Step(nn.Module):
    """An edge of a cell: a matrix on a state, then what `op` makes of both, (B, D) -> (B, D).

    Args:
        op: A `Highway`, or a choice of several.
        linear: The matrix (D) -> (2 D).
        norm: What the halves go through first; None: nothing.
        own: Whether the matrix belongs to this edge; otherwise the node around it holds it, as it does the norm.
    """

    def __init__(self, op: nn.Module, linear: nn.Module, norm: nn.Module | None = None, *, own: bool = True) -> None:
        super().__init__()
        self.op = op
        self.linear = linear if own else None
        self._held = (None if own else linear, norm)

    @property
    def silent(self) -> bool:
        """Whether it contributes nothing to its node."""
        return is_silent(self.op)

    def forward(self, given: tuple[Tensor, Tensor]) -> Tensor:
        """What becomes of a state that is given as it is, and with the features that this sequence drops at zero."""
        state, dropped = given
        shared, norm = self._held
        linear: Any = shared if self.linear is None else self.linear
        halves = linear(dropped)
        out: Tensor = self.op(state, halves if norm is None else norm(halves))
        return out
