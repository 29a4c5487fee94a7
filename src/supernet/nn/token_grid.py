"""Tokens as the image that they were cut from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable
from supernet.nn.sizes import check_size
from supernet.space import Expr


class TokenGrid(nn.Module, Mutable):
    """Channels of tokens as maps: (B, d, T) -> (B, d, T / s, s).

    Args:
        side: Tokens per row s, a number or an expression.

    Raises:
        UsageError: a side below 1; while it runs, tokens that rows do not fill.
    """

    def __init__(self, side: Expr | int) -> None:
        super().__init__()
        check_size("side of the grid", side)
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        side = self.selection.value(self.side)
        if x.shape[2] % side:
            raise UsageError(f"{x.shape[2]} tokens do not fill rows of {side}; say how many a row of the grid has.")
        return torch.unflatten(x, 2, (-1, side))

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.side,)

    def plain(self) -> nn.Module:
        return nn.Unflatten(2, (-1, self.selection.value(self.side)))

    def extra_repr(self) -> str:
        return f"{self.side}"
