"""Learned tokens that do not depend on the input, such as the queries of a decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from supernet.nn.mutable import Mutable, Shape, copy_into
from supernet.nn.sizes import check_size
from supernet.space import Expr, largest_value


class Queries(nn.Module):
    """The same learned tokens for every input of a batch: (B, …) -> (B, T, d).

    Args:
        tokens: The tokens (T, d).
    """

    def __init__(self, tokens: Tensor) -> None:
        super().__init__()
        self.tokens = nn.Parameter(tokens)

    def forward(self, x: Tensor) -> Tensor:
        return self.tokens.repeat(x.shape[0], 1, 1)


class ElasticQueries(Queries, Mutable):
    """The first t of T learned tokens, the same for every input of a batch: (B, …) -> (B, t, d).

    They start uniform in ±√(6 / (T + d)) (Glorot).

    Args:
        count: The number t, fixed or an expression.
        width: The width d of a token, which does not vary.

    Raises:
        UsageError: a size below 1.
    """

    def __init__(self, count: Expr | int, width: int) -> None:
        check_size("number of tokens", count)
        check_size("width", width)
        super().__init__(nn.init.xavier_uniform_(torch.empty(largest_value(count), width)))
        self.count, self.token_width = count, width

    def _slice(self) -> Tensor:
        return self.tokens[: self.selection.value(self.count)]

    def forward(self, x: Tensor) -> Tensor:
        return self._slice().repeat(x.shape[0], 1, 1)

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.count,)

    def shapes(self) -> dict[str, Shape]:
        return {"tokens": (self.count, self.token_width)}

    def multiplies(self) -> int:
        """Nothing: they are looked up."""
        return 0

    def plain(self) -> nn.Module:
        tokens = self._slice()
        return copy_into(Queries(torch.empty(tokens.shape, device="meta")), tokens=tokens)

    def extra_repr(self) -> str:
        return f"{self.count}, {self.token_width}"
