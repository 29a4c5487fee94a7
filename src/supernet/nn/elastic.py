"""Layers whose width and kernel follow choices; the active slice is a prefix of the full weight."""

from __future__ import annotations

from numbers import Integral
from typing import Any, TypeAlias, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable, Shape, copy_into
from supernet.nn.sizes import check_size, check_width
from supernet.space import Expr, largest_value

Pair: TypeAlias = int | tuple[int, int]
"""One number for height and width, or one for each."""


class ElasticConv2d(nn.Conv2d, Mutable):
    """A convolution with elastic width, kernel and groups: (B, c_in, H, W) -> (B, c_out, H', W').

    The weight (C_out, C_in / groups, K, K) is held for the largest sizes. An architecture uses the first
    c_out filters, their first c_in channels and the centre k × k of the kernel (OFA, §3.2, without kernel
    transform). With a fixed number of groups the prefix is taken within every group.

    Args:
        in_channels: Input width, fixed or an expression.
        out_channels: Output width, fixed or an expression.
        kernel_size: Kernel side; an expression's values are odd. A kernel that does not vary may be even, or
            rectangular: (height, width).
        stride: Stride, the same for every architecture; a number or (height, width).
        padding: Padding of a kernel that does not vary. Default: half of the kernel where it is odd, which keeps the
            size at stride 1, and none where it is even.
        dilation: Dilation, the same for every architecture.
        groups: Number of groups. For a depthwise layer pass the expression of its width.
        bias: Whether to add a bias.

    Raises:
        UsageError: a size below 1, an even kernel among several, a stride or padding that varies, or widths that the
            groups do not divide.
    """

    def __init__(
        self,
        in_channels: Expr | int,
        out_channels: Expr | int,
        kernel_size: Expr | Pair = 3,
        *,
        stride: Pair = 1,
        padding: Pair | None = None,
        dilation: int = 1,
        groups: Expr | int = 1,
        bias: bool = True,
    ) -> None:
        _check_sizes(in_channels, out_channels, kernel_size, groups)
        _check_fixed("stride", stride)
        _check_fixed("dilation", dilation)
        if padding is not None:
            _check_fixed("padding", padding, minimum=0)
            if isinstance(kernel_size, Expr):
                raise UsageError(
                    f"padding={padding} was given beside the elastic kernel {kernel_size}, whose padding follows it so "
                    "that all kernels share a centre. Leave it out, or fix the kernel."
                )
        per_group = largest_value(cast(Any, in_channels) // groups)
        largest_out = largest_value(out_channels)
        side = largest_value(kernel_size) if isinstance(kernel_size, Expr) else kernel_size
        nn.Conv2d.__init__(self, per_group, largest_out, side, stride=stride, dilation=dilation, bias=bias)
        self.in_channels = largest_value(in_channels)
        self.groups = largest_value(groups)
        self.width_in, self.width_out = in_channels, out_channels
        self.kernel, self.group_count = kernel_size, groups
        self._given_padding = padding

    def active_weight(self) -> Tensor:
        """The slice (c_out, c_in / g, k, k) of the weight that the active architecture uses."""
        return self._weight_slice(*self._sizes())

    def active_bias(self) -> Tensor | None:
        """The slice (c_out,) of the bias that the active architecture uses."""
        _, c_out, _, g = self._sizes()
        return self._bias_slice(c_out, g)

    def _sizes(self) -> tuple[int, int, Pair, int]:
        value = self.selection.value
        kernel = self.kernel if isinstance(self.kernel, tuple) else value(self.kernel)
        return value(self.width_in), value(self.width_out), kernel, value(self.group_count)

    def _weight_slice(self, c_in: int, c_out: int, k: Pair, g: int) -> Tensor:
        weight = self.weight
        largest_out, largest_in, largest_k, _ = weight.shape
        if isinstance(k, int) and k < largest_k:
            start = (largest_k - k) // 2
            weight = weight[:, :, start : start + k, start : start + k]
        if self._slices_groups(g) and c_out < largest_out:
            sides = weight.shape[2:]
            grouped = weight.view(g, largest_out // g, largest_in, *sides)
            return grouped[:, : c_out // g, : c_in // g].reshape(c_out, c_in // g, *sides)
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

    def _padding(self, k: Pair) -> Pair:
        if self._given_padding is not None:
            return self._given_padding
        if isinstance(k, tuple):
            return self._half(k[0]), self._half(k[1])
        return self._half(k)

    def _half(self, side: int) -> int:
        return self.dilation[0] * (side - 1) // 2 if side % 2 else 0

    def depends_on(self) -> tuple[Expr | int, ...]:
        kernel = () if isinstance(self.kernel, tuple) else (self.kernel,)
        return (self.width_in, self.width_out, *kernel, self.group_count)

    def shapes(self) -> dict[str, Shape]:
        sides = self.kernel if isinstance(self.kernel, tuple) else (self.kernel, self.kernel)
        per_group = cast(Any, self.width_in) // self.group_count
        return {"weight": (self.width_out, per_group, *sides), "bias": (self.width_out,)}

    def plain(self) -> nn.Module:
        c_in, c_out, k, g = self._sizes()
        layer = nn.Conv2d(
            c_in,
            c_out,
            k,
            stride=cast(Pair, self.stride),
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
        out_features: Output width, fixed or an expression.
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

    def shapes(self) -> dict[str, Shape]:
        return {"weight": (self.width_out, self.width_in), "bias": (self.width_out,)}

    def plain(self) -> nn.Module:
        weight, bias = self._slices()
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
        return copy_into(layer, weight=weight, bias=bias)

    def extra_repr(self) -> str:
        return f"{self.width_in}, {self.width_out}, bias={self.bias is not None}"


def _check_sizes(
    in_channels: Expr | int, out_channels: Expr | int, kernel_size: Expr | Pair, groups: Expr | int
) -> None:
    check_size("number of groups", groups)
    if isinstance(kernel_size, tuple):
        _check_fixed("kernel size", kernel_size)
    else:
        sides = check_size("kernel size", kernel_size)
        even = [side for side in sides if side % 2 == 0]
        if even and len(sides) > 1:
            raise UsageError(
                f"An elastic convolution needs odd kernel sizes that share a centre; got {even}. An even kernel must "
                "not vary."
            )
    for label, width in (("input width", in_channels), ("output width", out_channels)):
        check_size(label, width)
        remainder = cast(Any, width) % groups
        if any(remainder.possible() if isinstance(remainder, Expr) else (remainder,)):
            raise UsageError(
                f"The groups {groups} do not divide every value of the {label} {width}; "
                "choose widths that are multiples of the number of groups."
            )


def _check_fixed(label: str, value: object, *, minimum: int = 1) -> None:
    numbers = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    if not all(isinstance(number, Integral) and int(number) >= minimum for number in numbers):
        raise UsageError(
            f"The {label} of an elastic convolution is {value}; it does not vary, so give a whole number of at least "
            f"{minimum}, or (height, width). Where it is to be searched, make it an OpChoice between convolutions."
        )
