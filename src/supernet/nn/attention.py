"""Multi-head attention with elastic width, number of heads and width of a head."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.conv import ElasticConv2d
from supernet.nn.dot_product import DotProductAttention
from supernet.nn.linear import ElasticLinear
from supernet.nn.sizes import check_size
from supernet.nn.token_grid import TokenGrid
from supernet.space import Expr


class ElasticAttention(nn.Module):
    """Projections, attention of h heads, a projection: (B, T, c) -> (B, T, c), each size fixed or an expression.

    Queries, keys and values come from one linear layer whose rows are interleaved (row 3 i + j is the i-th of queries,
    keys and values for j = 0, 1, 2), so that fewer heads are a prefix of its weight and of each of the three
    (AutoFormer's weight entanglement); or from three layers, with a memory, a width of values of their own, or
    `fused=False`.

    Args:
        width: The width c of the tokens.
        heads: The number h of heads.
        head_dim: The width d of a query and a key.
        value_dim: The width e of a value; None: d.
        memory: The width of the tokens (B, S, m) that keys and values are made from, the second input; None: they are
            made from the tokens themselves.
        fused: Whether one layer makes queries, keys and values; None: where they can be.
        bias: Whether queries, keys and values have biases; the last projection has one.
        grid: Tokens per row of the image they form; needed by `value_kernel` alone.
        value_kernel: Side of a depthwise convolution, without bias, through which the values go (NASViT); None: none.
        activation: A module between attention and the last projection; None: none.
        scale: See `DotProductAttention`, as for all that follow.
        relative_keys: A module () -> (T, S, d).
        relative_values: A module () -> (T, S, e).
        relative_bias: A module () -> (h, T, S).
        talking: Whether linear layers mix the heads before and after the softmax.
        dropout: Share of the weights that are dropped in training.
        masked: Whether a boolean mask is given too, by the name `mask`.

    Raises:
        UsageError: a size below 1, one layer for what needs three, a convolution of values without their grid; while
            it runs, a memory or a mask that is missing or not expected.

    >>> import torch
    >>> from supernet import Choice, Supernet
    >>> width, heads = Choice("width", (24, 32)), Choice("heads", (2, 3))
    >>> net = Supernet(ElasticAttention(width, heads, head_dim=8))
    >>> net(torch.ones(1, 5, 24), {"width": 24, "heads": 3}).shape
    torch.Size([1, 5, 24])
    """

    def __init__(
        self,
        width: Expr | int,
        heads: Expr | int,
        head_dim: Expr | int,
        *,
        value_dim: Expr | int | None = None,
        memory: Expr | int | None = None,
        fused: bool | None = None,
        bias: bool = True,
        grid: Expr | int | None = None,
        value_kernel: int | None = None,
        activation: nn.Module | None = None,
        scale: float | None = None,
        relative_keys: nn.Module | None = None,
        relative_values: nn.Module | None = None,
        relative_bias: nn.Module | None = None,
        talking: bool = False,
        dropout: float = 0.0,
        masked: bool = False,
    ) -> None:
        super().__init__()
        can_fuse = memory is None and value_dim is None
        if fused and not can_fuse:
            raise UsageError(
                "One layer cannot make queries, keys and values where keys and values come from a memory, or values "
                "have a width of their own; leave fused out."
            )
        if value_kernel is not None and grid is None:
            raise UsageError("A convolution of the values needs to know the image that they form: give grid=….")
        check_size("number of heads", heads)
        check_size("width of a head", head_dim)
        self.crosses, self.masked = memory is not None, masked
        inner = cast(Any, heads) * head_dim
        values = inner if value_dim is None else cast(Any, heads) * value_dim
        source = width if memory is None else memory
        self.fused = can_fuse if fused is None else fused
        if self.fused:
            self.qkv = ElasticLinear(width, 3 * inner, bias=bias, unit=3)
        else:
            self.query = ElasticLinear(width, inner, bias=bias)
            self.key = ElasticLinear(source, inner, bias=bias)
            self.value = ElasticLinear(source, values, bias=bias)
        self.grid: TokenGrid | None = None
        self.value_conv: ElasticConv2d | None = None
        if value_kernel is not None and grid is not None:
            self.grid = TokenGrid(grid)
            self.value_conv = ElasticConv2d(values, values, value_kernel, groups=values, bias=False)
        self.attend = DotProductAttention(
            heads,
            head_dim,
            value_dim=value_dim,
            scale=scale,
            relative_keys=relative_keys,
            relative_values=relative_values,
            relative_bias=relative_bias,
            talking=talking,
            dropout=dropout,
            masked=masked,
        )
        self.activation = activation
        self.project = ElasticLinear(values, width)

    def forward(self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        if isinstance(memory, Tensor) is not self.crosses and (memory is None or isinstance(memory, Tensor)):
            raise UsageError(
                f"Attention was given {'no memory' if memory is None else 'a memory'}, and was made "
                f"{'with' if self.crosses else 'without'} one. Say memory=, the width of its tokens, where it is made."
            )
        if self.fused:
            qkv = torch.unflatten(self.qkv(x), -1, (-1, 3))
            q, k, v = qkv[..., 0], qkv[..., 1], qkv[..., 2]
        else:
            source = cast(Tensor, memory) if self.crosses else x
            q, k, v = self.query(x), self.key(source), self.value(source)
        if self.value_conv is not None and self.grid is not None:
            v = self.value_conv(self.grid(v.transpose(1, 2))).flatten(2).transpose(1, 2)
        out = self.attend(q, k, v, mask) if self.masked else self.attend(q, k, v)
        if self.activation is not None:
            out = self.activation(out)
        projected: Tensor = self.project(out)
        return projected
