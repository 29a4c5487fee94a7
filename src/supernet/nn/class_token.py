"""A learned token before the others, with elastic width."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from supernet.nn.mutable import Mutable, Shape, copy_into
from supernet.nn.sizes import check_size, check_width
from supernet.nn.slices import SLICE, active_slice
from supernet.space import Expr, largest_value


class PrependToken(nn.Module):
    """Puts a learned token before the others: (B, T, d) -> (B, T + 1, d).

    Args:
        token: The token (d,).
    """

    def __init__(self, token: Tensor) -> None:
        super().__init__()
        self.token = nn.Parameter(token)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.expand(x.shape[0], 1, -1), x], 1)


class ClassToken(PrependToken, Mutable):
    """Puts a learned token of elastic width before the others: (B, T, c) -> (B, T + 1, c).

    It starts from a normal distribution of standard deviation 0.02, cut at ±2.

    Args:
        width: The width c, fixed or an expression.

    Raises:
        UsageError: a width below 1.
    """

    settings = (SLICE,)

    def __init__(self, width: Expr | int) -> None:
        check_size("width", width)
        super().__init__(nn.init.trunc_normal_(torch.empty(largest_value(width)), std=0.02))
        self.width = width

    def _slice(self) -> Tensor:
        return active_slice(self.selection, self.token, self.selection.value(self.width))

    def forward(self, x: Tensor) -> Tensor:
        token = self._slice()
        check_width(x.shape[-1], len(token), "class token")
        return torch.cat([token.expand(x.shape[0], 1, -1), x], 1)

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width,)

    def shapes(self) -> dict[str, Shape]:
        return {"token": (self.width,)}

    def plain(self) -> nn.Module:
        token = self._slice()
        return copy_into(PrependToken(torch.empty(token.shape, device="meta")), token=token)

    def extra_repr(self) -> str:
        return f"{self.width}"
