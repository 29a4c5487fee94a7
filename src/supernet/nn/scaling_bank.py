"""A scale per channel for every depth and number of tokens (NASViT's switchable scaling)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable, Shape, copy_into
from supernet.nn.sizes import check_size, check_width
from supernet.nn.slices import SLICE, active_slice
from supernet.space import Expr, largest_value

_GAIN = 8.0  # of the released code of NASViT: what is divided by the width, and multiplies every scale


class ScaleChannels(nn.Module):
    """Multiplies each channel by a learned number: (…, c) -> (…, c).

    Args:
        table: The numbers (c,).
        factor: What all of them are multiplied by.
    """

    def __init__(self, table: Tensor, factor: float) -> None:
        super().__init__()
        self.table = nn.Parameter(table)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * (self.table * self.factor)


class ScalingBank(ScaleChannels, Mutable):
    """Multiplies each channel by a number of the active depth and number of tokens: (B, T, c) -> (B, T, c).

    Subnets of other depths and image sizes have scales of their own for the same branch (NASViT,
    [OpenReview](https://openreview.net/forum?id=Qaw16njk6L), as its released code has it): with d active layers and T
    tokens, x is multiplied by `table[:c, d, T mod 8]` · 8 / c. The numbers start small, so that branches begin as
    their shortcut.

    Args:
        width: The width c, fixed or an expression.
        depth: The number d of active layers of the stage, below `rows[0]`.
        tokens: The number T of tokens.
        rows: The numbers of depths and of remainders of T that have scales of their own; the released code has (10, 8).
        initial: What every number starts from.

    Raises:
        UsageError: a size below 1, or more layers than there are rows; while it runs, another number of tokens.

    >>> from supernet import Choice, Supernet
    >>> depth = Choice("depth", (2, 3))
    >>> net = Supernet(ScalingBank(4, depth, 9))
    >>> net(torch.ones(1, 9, 4), {"depth": 2})[0, 0].tolist() == [torch.tensor(1e-4).item() * 2] * 4
    True
    """

    settings = (SLICE,)

    def __init__(
        self,
        width: Expr | int,
        depth: Expr | int,
        tokens: Expr | int,
        *,
        rows: tuple[int, int] = (10, 8),
        initial: float = 1e-4,
    ) -> None:
        check_size("width", width)
        check_size("number of tokens", tokens)
        depths, period = rows
        for label, size in (("number of depths", depths), ("number of remainders", period)):
            check_size(label, size)
        deepest = check_size("depth", depth)[-1]
        if deepest >= depths:
            raise UsageError(
                f"A stage of {deepest} layers was to have scales out of {depths} rows, which are counted from 0; give "
                f"rows=({deepest + 1}, {period}) or more."
            )
        # channels first: what is active of the table is a prefix, as in other layers
        super().__init__(torch.full((largest_value(width), depths, period), float(initial)), _GAIN)
        self.width, self.depth, self.tokens = width, depth, tokens
        self.rows = rows

    def _row(self) -> Tensor:
        value = self.selection.value
        table = active_slice(self.selection, self.table, value(self.width))
        return table[:, value(self.depth), value(self.tokens) % self.rows[1]]

    def forward(self, x: Tensor) -> Tensor:
        row, tokens = self._row(), self.selection.value(self.tokens)
        check_width(x.shape[-1], len(row), "bank of scales")
        if x.shape[-2] != tokens:
            raise UsageError(
                f"A bank of scales for {tokens} tokens was given {x.shape[-2]}. Pass the number of tokens, or the "
                "expression of choices that it follows from, where the bank is made."
            )
        return x * (row * (_GAIN / len(row)))

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width, self.depth, self.tokens)

    def shapes(self) -> dict[str, Shape]:
        return {"table": (self.width,)}

    def plain(self) -> nn.Module:
        row = self._row()
        scale = ScaleChannels(torch.empty(row.shape, device="meta"), _GAIN / len(row))
        return copy_into(scale, table=row)

    def extra_repr(self) -> str:
        return f"{self.width}, depth={self.depth}, tokens={self.tokens}, rows={self.rows}"
