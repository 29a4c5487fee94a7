"""Layers whose width and kernel follow choices; the active slice is a prefix of the full weight."""

from __future__ import annotations

from typing import Any, cast

import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable, copy_into
from supernet.space import Expr, largest_value


class ElasticConv2d(nn.Conv2d, Mutable):
    """A convolution with elastic width, kernel and groups: (B, c_in, H, W) -> (B, c_out, H', W').

    The weight (C_out, C_in / groups, K, K) is held for the largest sizes. An architecture uses the first
    c_out filters, their first c_in channels and the centre k × k of the kernel (OFA, §3.2, without kernel
    transform). With a fixed number of groups the prefix is taken within every group.

    Args:
        in_channels: Input width, fixed or an expression.
        out_channels: Output width.
        kernel_size: Odd kernel side, fixed or an expression; the padding keeps the size at stride 1.
        stride: Stride.
        dilation: Dilation.
        groups: Number of groups. For a depthwise layer pass the expression of its width.
        bias: Whether to add a bias.

    Raises:
        UsageError: an even kernel, or widths that the groups do not divide.
    """

    def __init__(
        self,
        in_channels: Expr | int,
        out_channels: Expr | int,
        kernel_size: Expr | int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: Expr | int = 1,
        bias: bool = True,
    ) -> None:
        _check_sizes(in_channels, out_channels, kernel_size, groups)
        per_group = largest_value(cast(Any, in_channels) // groups)
        largest_out = largest_value(out_channels)
        nn.Conv2d.__init__(
            self, per_group, largest_out, largest_value(kernel_size), stride=stride, dilation=dilation, bias=bias
        )
        self.in_channels = largest_value(in_channels)
        self.groups = largest_value(groups)
        self.width_in, self.width_out = in_channels, out_channels
        self.kernel, self.group_count = kernel_size, groups

    def active_weight(self) -> Tensor:
        """The slice (c_out, c_in / g, k, k) of the weight that the active architecture uses."""
        c_in, c_out, k, g = (
            self.selection.value(size) for size in (self.width_in, self.width_out, self.kernel, self.group_count)
        )
        weight = self.weight
        largest_out, largest_in, largest_k, _ = weight.shape
        if k < largest_k:
            start = (largest_k - k) // 2
            weight = weight[:, :, start : start + k, start : start + k]
        if g > 1 and not isinstance(self.group_count, Expr) and c_out < largest_out:
            grouped = weight.view(g, largest_out // g, *weight.shape[1:])
            return grouped[:, : c_out // g, : c_in // g].reshape(c_out, c_in // g, k, k)
        if c_out < largest_out or c_in // g < largest_in:
            weight = weight[:c_out, : c_in // g]
        return weight

    def active_bias(self) -> Tensor | None:
        """The slice (c_out,) of the bias that the active architecture uses."""
        if self.bias is None:
            return None
        c_out, g = self.selection.value(self.width_out), self.selection.value(self.group_count)
        largest = self.bias.shape[0]
        if g > 1 and not isinstance(self.group_count, Expr) and c_out < largest:
            return self.bias.view(g, largest // g)[:, : c_out // g].reshape(c_out)
        return self.bias[:c_out]

    def forward(self, x: Tensor) -> Tensor:
        c_in = self.selection.value(self.width_in)
        _check_width(x.shape[1], c_in, "convolution")
        k, g = self.selection.value(self.kernel), self.selection.value(self.group_count)
        padding = self.dilation[0] * (k - 1) // 2
        return F.conv2d(x, self.active_weight(), self.active_bias(), self.stride, padding, self.dilation, g)

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width_in, self.width_out, self.kernel, self.group_count)

    def plain(self) -> nn.Module:
        c_in, c_out, k, g = (self.selection.value(size) for size in self.depends_on())
        layer = nn.Conv2d(
            c_in,
            c_out,
            k,
            stride=self.stride[0],
            padding=self.dilation[0] * (k - 1) // 2,
            dilation=self.dilation[0],
            groups=g,
            bias=self.bias is not None,
            device="meta",
        )
        return copy_into(layer, weight=self.active_weight(), bias=self.active_bias())

    def extra_repr(self) -> str:
        return f"{self.width_in}, {self.width_out}, kernel_size={self.kernel}, stride={self.stride[0]}"


class ElasticLinear(nn.Linear, Mutable):
    """A linear layer with elastic width: (…, c_in) -> (…, c_out), both prefixes of the full weight.

    Args:
        in_features: Input width, fixed or an expression.
        out_features: Output width.
        bias: Whether to add a bias.
    """

    def __init__(self, in_features: Expr | int, out_features: Expr | int, *, bias: bool = True) -> None:
        nn.Linear.__init__(self, largest_value(in_features), largest_value(out_features), bias=bias)
        self.width_in, self.width_out = in_features, out_features

    def _slices(self) -> tuple[Tensor, Tensor | None]:
        c_in, c_out = self.selection.value(self.width_in), self.selection.value(self.width_out)
        return self.weight[:c_out, :c_in], None if self.bias is None else self.bias[:c_out]

    def forward(self, x: Tensor) -> Tensor:
        _check_width(x.shape[-1], self.selection.value(self.width_in), "linear layer")
        return F.linear(x, *self._slices())

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width_in, self.width_out)

    def plain(self) -> nn.Module:
        weight, bias = self._slices()
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
        return copy_into(layer, weight=weight, bias=bias)

    def extra_repr(self) -> str:
        return f"{self.width_in}, {self.width_out}, bias={self.bias is not None}"


def _check_sizes(
    in_channels: Expr | int, out_channels: Expr | int, kernel_size: Expr | int, groups: Expr | int
) -> None:
    kernels = kernel_size.possible() if isinstance(kernel_size, Expr) else (kernel_size,)
    even = [k for k in kernels if k % 2 == 0 or k < 1]
    if even:
        raise UsageError(f"An elastic convolution needs odd kernel sizes that share a centre; got {even}.")
    for label, width in (("in_channels", in_channels), ("out_channels", out_channels)):
        remainder = cast(Any, width) % groups
        rests = remainder.possible() if isinstance(remainder, Expr) else (remainder,)
        if any(rests):
            raise UsageError(
                f"The groups {groups} do not divide every value of {label} ({width}); "
                "choose widths that are multiples of the number of groups."
            )


def _check_width(given: int, expected: int, what: str) -> None:
    if given != expected:
        raise UsageError(
            f"An elastic {what} got {given} input channels where the active architecture has {expected}. Pass the "
            "same choice (or expression) to the layer that makes the input and to this one."
        )
