"""Learned positions of tokens, with elastic width."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable, Shape, copy_into
from supernet.nn.sizes import check_size, check_width
from supernet.nn.slices import SLICE, active_slice
from supernet.nn.table import Table
from supernet.space import Expr, largest_value


class AddPositions(nn.Module):
    """Adds a learned vector to each token: (B, T, d) -> (B, T, d), with the first T of the vectors `positions`.

    Args:
        positions: The vectors (N, d).
    """

    def __init__(self, positions: Tensor) -> None:
        super().__init__()
        self.positions: nn.Parameter = Table(positions)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.positions[: x.shape[1]]


class ElasticPositions(AddPositions, Mutable):
    """Adds a learned vector of elastic width to each token: (B, T, c) -> (B, T, c).

    The vectors (N, C) start from a normal distribution of standard deviation 0.02, cut at ±2.

    Args:
        tokens: The number N of positions, of which shorter inputs use the first.
        width: The width c, fixed or an expression.

    Raises:
        UsageError: a size below 1; while it runs, more tokens than positions.
    """

    settings = (SLICE,)

    def __init__(self, tokens: int, width: Expr | int) -> None:
        check_size("number of positions", tokens)
        check_size("width", width)
        super().__init__(nn.init.trunc_normal_(torch.empty(tokens, largest_value(width)), std=0.02))
        self.tokens, self.width = tokens, width

    def _slice(self) -> Tensor:
        return active_slice(self.selection, self.positions, self.tokens, self.selection.value(self.width))

    def forward(self, x: Tensor) -> Tensor:
        positions = self._slice()
        check_width(x.shape[-1], positions.shape[1], "table of positions")
        if x.shape[1] > self.tokens:
            raise UsageError(f"{x.shape[1]} tokens came to a table of {self.tokens} positions; make it larger.")
        return x + positions[: x.shape[1]]

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width,)

    def shapes(self) -> dict[str, Shape]:
        return {"positions": (self.tokens, self.width)}

    def plain(self) -> nn.Module:
        positions = self._slice()
        return copy_into(AddPositions(torch.empty(positions.shape, device="meta")), positions=positions)

    def extra_repr(self) -> str:
        return f"{self.tokens}, {self.width}"
