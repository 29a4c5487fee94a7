"""Vectors by the distance of two tokens on a grid, added to keys and values (AutoFormer)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.nn.mutable import Mutable, Shape, copy_into
from supernet.nn.sizes import check_size
from supernet.nn.slices import SLICE, active_slice
from supernet.nn.table import Table
from supernet.space import Expr, largest_value


class RelativeVectors(nn.Module):
    """A vector for each pair of tokens, the sum of one by their rows and one by their columns: () -> (T, T, d).

    Args:
        vertical: The vectors by distance of rows (R, d).
        horizontal: The vectors by distance of columns (R, d).
        rows: Which of the vertical ones belongs to each pair (T, T).
        columns: Which of the horizontal ones does (T, T).
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, vertical: Tensor, horizontal: Tensor, rows: Tensor, columns: Tensor) -> None:
        super().__init__()
        self.vertical: nn.Parameter = Table(vertical)
        self.horizontal: nn.Parameter = Table(horizontal)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)

    def forward(self) -> Tensor:
        return F.embedding(self.rows, self.vertical) + F.embedding(self.columns, self.horizontal)


class RelativePositions2d(RelativeVectors, Mutable):
    """A vector of elastic width for each pair of tokens of a square grid: () -> (T, T, c), row by row.

    Two tables of 2 · clip + 2 vectors, one by the signed distance of rows and one by that of columns, both cut at
    ±clip; index 0 is that of pairs with the class token, which comes first (AutoFormer, Chen et al.,
    [arXiv 2107.00651](https://arxiv.org/abs/2107.00651), §3.3; Wu et al.,
    [arXiv 2107.14222](https://arxiv.org/abs/2107.14222)). They start from a normal distribution of standard deviation
    0.02, cut at ±2. Without a class token the index 0 is not used.

    Args:
        side: Tokens per row and column, a number or an expression.
        width: The width c, that of a head, fixed or an expression.
        clip: The distance from which on all are alike.
        class_token: Whether a class token comes before the grid.

    Raises:
        UsageError: a size below 1.
    """

    settings = (SLICE,)

    def __init__(self, side: Expr | int, width: Expr | int, *, clip: int = 14, class_token: bool = True) -> None:
        sides = check_size("side of the grid", side)
        check_size("width", width)
        check_size("clipped distance", clip)
        tables = (nn.init.trunc_normal_(torch.empty(2 * clip + 2, largest_value(width)), std=0.02) for _ in range(2))
        super().__init__(*tables, *relative_indices(sides[-1], clip, class_token=class_token))
        self.side, self.width, self.clip, self.class_token = side, width, clip, class_token
        self._largest = sides[-1]
        for smaller in sides[:-1]:
            rows, columns = relative_indices(smaller, clip, class_token=class_token)
            self.register_buffer(f"rows{smaller}", rows, persistent=False)
            self.register_buffer(f"columns{smaller}", columns, persistent=False)

    def _indices(self) -> tuple[Tensor, Tensor]:
        side = self.selection.value(self.side)
        if side == self._largest:
            return self.rows, self.columns
        return self.get_buffer(f"rows{side}"), self.get_buffer(f"columns{side}")

    def _tables(self) -> tuple[Tensor, Tensor]:
        c = self.selection.value(self.width)
        vertical, horizontal = (
            active_slice(self.selection, table, len(table), c) for table in (self.vertical, self.horizontal)
        )
        return vertical, horizontal

    def forward(self) -> Tensor:
        (vertical, horizontal), (rows, columns) = self._tables(), self._indices()
        return F.embedding(rows, vertical) + F.embedding(columns, horizontal)

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.side, self.width)

    def shapes(self) -> dict[str, Shape]:
        return dict.fromkeys(("vertical", "horizontal"), (2 * self.clip + 2, self.width))

    def plain(self) -> nn.Module:
        vertical, horizontal = self._tables()
        empty = (torch.empty(table.shape, device="meta") for table in (vertical, horizontal))
        made = RelativeVectors(*empty, *(indices.clone() for indices in self._indices()))
        return copy_into(made, vertical=vertical, horizontal=horizontal)

    def extra_repr(self) -> str:
        return f"{self.side}, {self.width}, clip={self.clip}, class_token={self.class_token}"


def relative_indices(side: int, clip: int, *, class_token: bool) -> Tensor:
    """Which vectors belong to each pair (query, key) of tokens of a square grid: (2, T, T), rows and columns.

    >>> relative_indices(2, 1, class_token=False).tolist()
    [[[2, 2, 3, 3], [2, 2, 3, 3], [1, 1, 2, 2], [1, 1, 2, 2]], [[2, 3, 2, 3], [1, 2, 1, 2], [2, 3, 2, 3], [1, 2, 1, 2]]]
    """
    place = torch.arange(side * side)
    places = torch.stack([place // side, place % side])
    distance = places[:, None, :] - places[:, :, None]
    indices = distance.clamp(-clip, clip) + clip + 1
    return F.pad(indices, (1, 0, 1, 0)) if class_token else indices
