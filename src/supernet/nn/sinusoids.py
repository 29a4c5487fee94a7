"""Sinusoidal positions of tokens, of which a narrower network reads the first entries."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable, Shape
from supernet.nn.sizes import check_size, check_width
from supernet.nn.slices import SLICE, active_slice
from supernet.space import Expr, largest_value


class AddSinusoids(nn.Module):
    """Adds a fixed vector to each token: (B, T, d) -> (B, T, d), with the first T of the vectors `table`.

    Args:
        table: The vectors (N, d); no part of the weights, so that files of weights do not hold it.
    """

    table: Tensor

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table[: x.shape[1]]


class ElasticSinusoids(AddSinusoids, Mutable):
    """Adds sines and cosines of its place to each token: (B, T, c) -> (B, T, c).

    The vector of the place t is [sin(t ω₀) … sin(t ω_{C/2−1}), cos(t ω₀) … cos(t ω_{C/2−1})] with
    ωᵢ = 10000^(−i / (C/2 − 1)) (tensor2tensor and fairseq; Vaswani et al.,
    [arXiv 1706.03762](https://arxiv.org/abs/1706.03762), §3.5, in another order). A narrower network has its first c
    entries: all sines, and the cosines of the high frequencies (HAT). The setting `slice` takes others, see
    `supernet.nn.slices`.

    Args:
        tokens: The number N of places, of which shorter inputs use the first.
        width: The width c, fixed or an expression.

    Raises:
        UsageError: a size below 1, or a largest width C that is odd or below 4; while it runs, more tokens than places.
    """

    settings = (SLICE,)

    def __init__(self, tokens: int, width: Expr | int) -> None:
        check_size("number of positions", tokens)
        check_size("width", width)
        full = largest_value(width)
        if full % 2 or full < 4:
            raise UsageError(
                f"Sinusoidal positions have a sine and a cosine of each frequency, but the largest width is {full}; "
                "give an even one of at least 4."
            )
        super().__init__(sinusoids(tokens, full))
        self.tokens, self.width = tokens, width

    def _slice(self) -> Tensor:
        return active_slice(self.selection, self.table, self.tokens, self.selection.value(self.width))

    def forward(self, x: Tensor) -> Tensor:
        table = self._slice()
        check_width(x.shape[-1], table.shape[1], "table of sinusoids")
        if x.shape[1] > self.tokens:
            raise UsageError(f"{x.shape[1]} tokens came to a table of {self.tokens} positions; make it larger.")
        return x + table[: x.shape[1]]

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width,)

    def shapes(self) -> dict[str, Shape]:
        return {"table": (self.tokens, self.width)}

    def plain(self) -> nn.Module:
        return AddSinusoids(self._slice().clone())

    def extra_repr(self) -> str:
        return f"{self.tokens}, {self.width}"


def sinusoids(tokens: int, width: int) -> Tensor:
    """The vectors (N, C) of all places, see `ElasticSinusoids`."""
    half = width // 2
    frequencies = torch.exp(torch.arange(half) * (-math.log(10000) / (half - 1)))
    angles = torch.arange(tokens)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)
