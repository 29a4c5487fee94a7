"""A number by head and by the offset of two tokens in a window, added to the logits of attention (Swin, NASViT)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable, Shape, copy_into
from supernet.nn.sizes import check_size
from supernet.nn.slices import SLICE, active_slice
from supernet.nn.table import Table
from supernet.space import Expr, largest_value


class BiasByOffset(nn.Module):
    """A number for each head and pair of tokens: () -> (h, T, T).

    Args:
        table: The numbers by offset and head (R, h).
        indices: Which offset each pair has (T, T).
    """

    indices: Tensor

    def __init__(self, table: Tensor, indices: Tensor) -> None:
        super().__init__()
        self.table: nn.Parameter = Table(table)
        self.register_buffer("indices", indices, persistent=False)

    def forward(self) -> Tensor:
        return F.embedding(self.indices, self.table).permute(2, 0, 1)


class RelativeBias2d(BiasByOffset, Mutable):
    """A number for each head and pair of tokens of a square grid, by their offset: () -> (h, T, T).

    The table ((2w − 1)², H) is that of a window of w × w tokens; a smaller grid uses the offsets that it has, heads are
    a prefix (Swin, Liu et al., [arXiv 2103.14030](https://arxiv.org/abs/2103.14030), §3.2; NASViT has w = 18). It
    starts from a normal distribution of standard deviation 0.02, cut at ±2.

    Args:
        side: Tokens per row and column of the grid, a number or an expression.
        heads: The number h of heads, fixed or an expression.
        window: The side w of the largest window; None: that of the largest grid.

    Raises:
        UsageError: a size below 1, or a grid that is larger than the window.
    """

    settings = (SLICE,)

    def __init__(self, side: Expr | int, heads: Expr | int, *, window: int | None = None) -> None:
        sides = check_size("side of the grid", side)
        check_size("number of heads", heads)
        window = sides[-1] if window is None else window
        check_size("side of the window", window)
        if sides[-1] > window:
            raise UsageError(
                f"A grid of {sides[-1]} × {sides[-1]} tokens has offsets that a window of {window} × {window} lacks; "
                "give a larger window."
            )
        offsets = (2 * window - 1) ** 2
        table = nn.init.trunc_normal_(torch.empty(offsets, largest_value(heads)), std=0.02)
        super().__init__(table, offset_indices(sides[-1], window))
        self.side, self.heads, self.window = side, heads, window
        self._largest = sides[-1]
        for smaller in sides[:-1]:
            self.register_buffer(f"indices{smaller}", offset_indices(smaller, window), persistent=False)

    def _indices(self) -> Tensor:
        side = self.selection.value(self.side)
        return self.indices if side == self._largest else self.get_buffer(f"indices{side}")

    def _table(self) -> Tensor:
        return active_slice(self.selection, self.table, len(self.table), self.selection.value(self.heads))

    def forward(self) -> Tensor:
        return F.embedding(self._indices(), self._table()).permute(2, 0, 1)

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.side, self.heads)

    def shapes(self) -> dict[str, Shape]:
        return {"table": ((2 * self.window - 1) ** 2, self.heads)}

    def plain(self) -> nn.Module:
        table = self._table()
        return copy_into(BiasByOffset(torch.empty(table.shape, device="meta"), self._indices().clone()), table=table)

    def extra_repr(self) -> str:
        return f"{self.side}, {self.heads}, window={self.window}"


def offset_indices(side: int, window: int) -> Tensor:
    """Which offset each pair (query, key) of tokens of a grid has, as a row of the table of a window: (T, T).

    >>> offset_indices(2, 2).tolist()
    [[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]]
    """
    place = torch.arange(side * side)
    places = torch.stack([place // side, place % side])
    offsets = places[:, :, None] - places[:, None, :] + window - 1
    return offsets[0] * (2 * window - 1) + offsets[1]
