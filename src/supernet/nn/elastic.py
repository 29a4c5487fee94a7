"""Layers whose width and kernel follow choices; the active slice is a prefix of the full weight."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable, copy_into
from supernet.nn.sizes import check_size, check_width
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
        UsageError: a size below 1, an even kernel, or widths that the groups do not divide.
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
        return self._weight_slice(*self._sizes())

    def active_bias(self) -> Tensor | None:
        """The slice (c_out,) of the bias that the active architecture uses."""
        _, c_out, _, g = self._sizes()
        return self._bias_slice(c_out, g)

    def _sizes(self) -> tuple[int, int, int, int]:
        value = self.selection.value
        return value(self.width_in), value(self.width_out), value(self.kernel), value(self.group_count)

    def _weight_slice(self, c_in: int, c_out: int, k: int, g: int) -> Tensor:
        weight = self.weight
        largest_out, largest_in, largest_k, _ = weight.shape
        if k < largest_k:
            start = (largest_k - k) // 2
            weight = weight[:, :, start : start + k, start : start + k]
        if self._slices_groups(g) and c_out < largest_out:
            grouped = weight.view(g, largest_out // g, largest_in, k, k)
            return grouped[:, : c_out // g, : c_in // g].reshape(c_out, c_in // g, k, k)
        if c_out < largest_out or c_in // g < largest_in:
            weight = weight[:c_out, : c_in // g]
        return weight

    def _bias_slice(self, c_out: int, g: int) -> Tensor | None:
        bias = self.bias
        if bias is None or c_out == len(bias):
            return bias
        if self._slices_groups(g):
            return bias.view(g, len(bias) // g)[:, : c_out // g].reshape(c_out)
        return bias[:c_out]

    def _slices_groups(self, g: int) -> bool:
        """A fixed number of groups keeps a prefix of each; an elastic number keeps the first groups."""
        return g > 1 and not isinstance(self.group_count, Expr)

    def forward(self, input: Tensor) -> Tensor:
        c_in, c_out, k, g = self._sizes()
        check_width(input.shape[1], c_in, "convolution")
        weight, bias = self._weight_slice(c_in, c_out, k, g), self._bias_slice(c_out, g)
        if g > 1 and input.device.type == "cpu" and torch.is_autocast_enabled("cpu") and torch.is_grad_enabled():
            # The backward pass of grouped convolutions is several times slower in bfloat16 than in float32.
            with torch.autocast("cpu", enabled=False):
                bias = bias if bias is None else bias.float()
                out = F.conv2d(input.float(), weight.float(), bias, self.stride, self._padding(k), self.dilation, g)
            return out.to(torch.get_autocast_dtype("cpu"))
        return F.conv2d(input, weight, bias, self.stride, self._padding(k), self.dilation, g)

    def _padding(self, k: int) -> int:
        return self.dilation[0] * (k - 1) // 2

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width_in, self.width_out, self.kernel, self.group_count)

    def plain(self) -> nn.Module:
        c_in, c_out, k, g = self._sizes()
        layer = nn.Conv2d(
            c_in,
            c_out,
            k,
            stride=self.stride[0],
            padding=self._padding(k),
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

    Raises:
        UsageError: a width below 1.
    """

    def __init__(self, in_features: Expr | int, out_features: Expr | int, *, bias: bool = True) -> None:
        check_size("input width", in_features)
        check_size("output width", out_features)
        nn.Linear.__init__(self, largest_value(in_features), largest_value(out_features), bias=bias)
        self.width_in, self.width_out = in_features, out_features

    def _slices(self) -> tuple[Tensor, Tensor | None]:
        c_in, c_out = self.selection.value(self.width_in), self.selection.value(self.width_out)
        weight, bias = self.weight, self.bias
        if (c_out, c_in) != weight.shape:
            weight = weight[:c_out, :c_in]
        return weight, bias if bias is None or c_out == len(bias) else bias[:c_out]

    def forward(self, input: Tensor) -> Tensor:
        weight, bias = self._slices()
        check_width(input.shape[-1], weight.shape[1], "linear layer")
        return F.linear(input, weight, bias)

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
    check_size("number of groups", groups)
    even = [k for k in check_size("kernel size", kernel_size) if k % 2 == 0]
    if even:
        raise UsageError(f"An elastic convolution needs odd kernel sizes that share a centre; got {even}.")
    for label, width in (("input width", in_channels), ("output width", out_channels)):
        check_size(label, width)
        remainder = cast(Any, width) % groups
        if any(remainder.possible() if isinstance(remainder, Expr) else (remainder,)):
            raise UsageError(
                f"The groups {groups} do not divide every value of the {label} {width}; "
                "choose widths that are multiples of the number of groups."
            )
