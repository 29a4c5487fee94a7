"""Attention over projected queries, keys and values, with an elastic number of heads."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.linear import ElasticLinear
from supernet.nn.mutable import Mutable
from supernet.nn.sizes import check_size, check_width
from supernet.space import Expr
from supernet.space.conditions import Conditions


class AttendHeads(nn.Module):
    """Scaled dot-product attention of h heads: (B, T, h · d), (B, S, h · d), (B, S, h · e) -> (B, T, h · e).

    Args:
        heads: The number h of heads.
        head_dim: The width d of queries and keys.
        value_dim: The width e of values.
        scale: What the products are multiplied by; None: 1 / √d.
        masked: Whether a mask is given, in which True says that a query may attend a key.
        parts: Modules by name: `relative_keys` () -> (T, S, d) and `relative_values` () -> (T, S, e), vectors that are
            added to keys and values; `relative_bias` () -> (h, T, S); `mix_before` and `mix_after`, linear layers over
            heads (B, T, S, h); `dropout` of the weights.
    """

    def __init__(
        self,
        heads: int,
        head_dim: int,
        value_dim: int,
        *,
        scale: float | None,
        masked: bool,
        parts: dict[str, nn.Module],
    ) -> None:
        super().__init__()
        self.heads, self.head_dim, self.value_dim = heads, head_dim, value_dim
        self.scale, self.masked = scale, masked
        self.parts = nn.ModuleDict(parts)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        return self._attend(q, k, v, mask, self.heads, self.head_dim, self.value_dim)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, h: int, d: int, e: int) -> Tensor:
        q, k = (torch.unflatten(x, -1, (h, d)).transpose(1, 2) for x in (q, k))  # (B, h, T, d)
        v = torch.unflatten(v, -1, (h, e)).transpose(1, 2)
        scale = d**-0.5 if self.scale is None else self.scale
        if self._needs_weights():
            out = self._by_weights(q * scale, k, v, mask)
        else:
            bias = self._bias(q * scale) if "relative_keys" in self.parts else self._bias(None)
            if bias is None:
                bias = mask if self.masked else None
            elif self.masked:
                bias = bias.masked_fill(~cast(Tensor, mask), -torch.inf)
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)
        return out.transpose(1, 2).flatten(2)

    def _needs_weights(self) -> bool:
        """Whether the weights of attention themselves are needed, which fused kernels keep to themselves."""
        return bool({"relative_values", "mix_before", "mix_after", "dropout"} & set(self.parts))

    def _bias(self, q: Tensor | None) -> Tensor | None:
        """What is added to the logits, (h, T, S) or, where it depends on the scaled queries, (B, h, T, S)."""
        bias: Tensor | None = self.parts["relative_bias"]() if "relative_bias" in self.parts else None
        if q is None:
            return bias
        # (T, B · h, d) · (T, d, S): one product for each query's place
        vectors: Tensor = self.parts["relative_keys"]()
        by_keys = q.permute(2, 0, 1, 3).flatten(1, 2) @ vectors.transpose(1, 2)
        by_keys = torch.unflatten(by_keys, 1, (-1, q.shape[1])).permute(1, 2, 0, 3)
        return by_keys if bias is None else by_keys + bias

    def _by_weights(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        logits = q @ k.transpose(-2, -1)
        bias = self._bias(q) if "relative_keys" in self.parts else self._bias(None)
        logits = logits if bias is None else logits + bias
        if "mix_before" in self.parts:
            logits = self.parts["mix_before"](logits.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        if self.masked:
            logits = logits.masked_fill(~cast(Tensor, mask), -torch.inf)
        weights = logits.softmax(-1)
        if "mix_after" in self.parts:
            weights = self.parts["mix_after"](weights.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        if "dropout" in self.parts:
            weights = self.parts["dropout"](weights)
        out = weights @ v
        if "relative_values" in self.parts:
            by_place = weights.permute(2, 0, 1, 3).flatten(1, 2) @ self.parts["relative_values"]()
            out = out + torch.unflatten(by_place, 1, (-1, weights.shape[1])).permute(1, 2, 0, 3)  # (T, B · h, e)
        return out


class DotProductAttention(AttendHeads, Mutable):
    """Scaled dot-product attention of an elastic number of heads of elastic width, without projections.

    (B, T, h · d), (B, S, h · d), (B, S, h · e) -> (B, T, h · e). It uses `scaled_dot_product_attention` unless the
    weights themselves are needed: by relative positions on values, heads that talk, or dropout.

    Args:
        heads: The number h of heads, fixed or an expression.
        head_dim: The width d of a query and a key, fixed or an expression.
        value_dim: The width e of a value; None: d.
        scale: What the products are multiplied by; None: 1 / √d.
        relative_keys: A module () -> (T, S, d) whose vectors are added to the keys (`RelativePositions2d`).
        relative_values: A module () -> (T, S, e) whose vectors are added to the values.
        relative_bias: A module () -> (h, T, S) whose numbers are added to the logits (`RelativeBias2d`).
        talking: Whether linear layers mix the heads before and after the softmax (Talking-Heads Attention, Shazeer et
            al., [arXiv 2003.02436](https://arxiv.org/abs/2003.02436)).
        dropout: Share of the weights that are dropped in training.
        masked: Whether it takes a mask as its fourth input: booleans that can be broadcast to (B, h, T, S), True where
            a query may attend a key. Each query needs one such key; without any its output is undefined.

    Raises:
        UsageError: a size below 1; while it runs, a mask that is missing, not boolean, or not expected.
    """

    def __init__(
        self,
        heads: Expr | int,
        head_dim: Expr | int,
        *,
        value_dim: Expr | int | None = None,
        scale: float | None = None,
        relative_keys: nn.Module | None = None,
        relative_values: nn.Module | None = None,
        relative_bias: nn.Module | None = None,
        talking: bool = False,
        dropout: float = 0.0,
        masked: bool = False,
    ) -> None:
        value_dim = head_dim if value_dim is None else value_dim
        for label, size in (("number of heads", heads), ("width of a head", head_dim), ("width of a value", value_dim)):
            check_size(label, size)
        parts = {
            "relative_keys": relative_keys,
            "relative_values": relative_values,
            "relative_bias": relative_bias,
            "mix_before": ElasticLinear(heads, heads) if talking else None,
            "mix_after": ElasticLinear(heads, heads) if talking else None,
            "dropout": nn.Dropout(dropout) if dropout else None,
        }
        held = {name: part for name, part in parts.items() if part is not None}
        super().__init__(0, 0, 0, scale=scale, masked=masked, parts=held)
        self.sizes = (heads, head_dim, value_dim)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        h, d, e = map(self.selection.value, self.sizes)
        for given, expected, what in ((q, h * d, "queries"), (k, h * d, "keys"), (v, h * e, "values")):
            check_width(given.shape[-1], expected, f"attention over {what}")
        if self.masked is (mask is None) or (mask is not None and mask.dtype is not torch.bool):
            raise UsageError(
                f"Attention with masked={self.masked} was given "
                f"{'no mask' if mask is None else f'a mask of {mask.dtype}'}. Say masked=True where it is made and "
                "give booleans, True where a query may attend a key; or leave both out."
            )
        return self._attend(q, k, v, mask, h, d, e)

    def depends_on(self) -> tuple[Expr | int, ...]:
        return self.sizes

    def runs(self) -> dict[str, Conditions]:
        return {}

    def multiplies(self) -> Expr | int:
        """The products of a query and a key, and of their weight and a value, with those of relative positions."""
        heads, head_dim, value_dim = cast("tuple[Any, Any, Any]", self.sizes)
        keys, values = 1 + ("relative_keys" in self.parts), 1 + ("relative_values" in self.parts)
        total: Expr | int = heads * (keys * head_dim + values * value_dim)
        return total

    def plain(self) -> nn.Module:
        """The same with numbers for sizes; its relative positions and linear layers are made plain by `extract`."""
        h, d, e = map(self.selection.value, self.sizes)
        parts = dict(self.parts.items())
        return AttendHeads(h, d, e, scale=self.scale, masked=self.masked, parts=parts)

    def extra_repr(self) -> str:
        return f"heads={self.sizes[0]}, head_dim={self.sizes[1]}, value_dim={self.sizes[2]}, masked={self.masked}"
