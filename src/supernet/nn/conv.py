"""Convolutions whose width, kernel and groups follow choices; the active slice is a prefix of the full weight."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, TypeAlias, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable, Shape, copy_into
from supernet.nn.sizes import check_size, check_width
from supernet.nn.slices import SLICE, active_slice, refuse_slices
from supernet.space import Expr, largest_value

Sides: TypeAlias = int | tuple[int, ...]
"""One number for all spatial dimensions, or one for each."""


class _ElasticConv(Mutable):
    """What elastic convolutions of every number of dimensions have in common; see `ElasticConv2d`."""

    _kind: ClassVar[type[nn.Conv1d | nn.Conv2d | nn.Conv3d]]
    _convolve: ClassVar[Any]
    _dimensions: ClassVar[int]

    settings = (SLICE,)

    weight: nn.Parameter
    bias: nn.Parameter | None
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    def __init__(
        self,
        in_channels: Expr | int,
        out_channels: Expr | int,
        kernel_size: Expr | Sides = 3,
        *,
        stride: Sides = 1,
        padding: Sides | None = None,
        dilation: int = 1,
        groups: Expr | int = 1,
        bias: bool = True,
    ) -> None:
        _check_sizes(in_channels, out_channels, kernel_size, groups, self._dimensions)
        _check_fixed("stride", stride, self._dimensions)
        _check_fixed("dilation", dilation, self._dimensions)
        if padding is not None:
            _check_fixed("padding", padding, self._dimensions, minimum=0)
            if isinstance(kernel_size, Expr):
                raise UsageError(
                    f"padding={padding} was given beside the elastic kernel {kernel_size}, whose padding follows it so "
                    "that all kernels share a centre. Leave it out, or fix the kernel."
                )
        per_group = largest_value(cast(Any, in_channels) // groups)
        largest_out = largest_value(out_channels)
        side = largest_value(kernel_size) if isinstance(kernel_size, Expr) else kernel_size
        init: Any = self._kind.__init__
        init(self, per_group, largest_out, side, stride=stride, dilation=dilation, bias=bias)
        self.in_channels = largest_value(in_channels)
        self.groups = largest_value(groups)
        self.width_in, self.width_out = in_channels, out_channels
        self.kernel, self.group_count = kernel_size, groups
        self._given_padding = padding

    def active_weight(self) -> Tensor:
        """The slice (c_out, c_in / g, k, …) of the weight that the active architecture uses."""
        return self._weight_slice(*self._sizes())

    def active_bias(self) -> Tensor | None:
        """The slice (c_out,) of the bias that the active architecture uses."""
        _, c_out, _, g = self._sizes()
        return self._bias_slice(c_out, g)

    def active_padding(self) -> Sides:
        """The padding of the active kernel."""
        return self._padding(self._sizes()[2])

    def _sizes(self) -> tuple[int, int, Sides, int]:
        value = self.selection.value
        kernel = self.kernel if isinstance(self.kernel, tuple) else value(self.kernel)
        return value(self.width_in), value(self.width_out), kernel, value(self.group_count)

    def _weight_slice(self, c_in: int, c_out: int, k: Sides, g: int) -> Tensor:
        weight: Tensor = self.weight
        largest_out, largest_in, largest_k = weight.shape[:3]
        if self._slices_groups(g) and c_out < largest_out:
            refuse_slices(self.selection, "convolution with a fixed number of groups")
            sides = weight.shape[2:]
            grouped = weight.view(g, largest_out // g, largest_in, *sides)
            weight = grouped[:, : c_out // g, : c_in // g].reshape(c_out, c_in // g, *sides)
        else:
            weight = active_slice(self.selection, weight, c_out, c_in // g)
        return self._smaller(weight, k) if isinstance(k, int) and k < largest_k else weight

    def _smaller(self, weight: Tensor, k: int) -> Tensor:
        """Filters (c_out, c_in / g, K, …) of the largest kernel as filters of the kernel k."""
        return centre(weight, k)

    def _bias_slice(self, c_out: int, g: int) -> Tensor | None:
        bias = self.bias
        if bias is None or c_out == len(bias):
            return bias
        if self._slices_groups(g):
            return bias.view(g, len(bias) // g)[:, : c_out // g].reshape(c_out)
        return active_slice(self.selection, bias, c_out)

    def _slices_groups(self, g: int) -> bool:
        """A fixed number of groups keeps a prefix of each; an elastic number keeps the first groups."""
        return g > 1 and not isinstance(self.group_count, Expr)

    def forward(self, input: Tensor) -> Tensor:
        c_in, c_out, k, g = self._sizes()
        check_width(input.shape[1], c_in, "convolution")
        convolve = type(self)._convolve
        weight, bias = self._weight_slice(c_in, c_out, k, g), self._bias_slice(c_out, g)
        if g > 1 and input.device.type == "cpu" and torch.is_autocast_enabled("cpu") and torch.is_grad_enabled():
            # The backward pass of grouped convolutions is several times slower in bfloat16 than in float32.
            with torch.autocast("cpu", enabled=False):
                bias = bias if bias is None else bias.float()
                out = convolve(input.float(), weight.float(), bias, self.stride, self._padding(k), self.dilation, g)
            return cast(Tensor, out.to(torch.get_autocast_dtype("cpu")))
        return cast(Tensor, convolve(input, weight, bias, self.stride, self._padding(k), self.dilation, g))

    def _padding(self, k: Sides) -> Sides:
        if self._given_padding is not None:
            return self._given_padding
        if isinstance(k, tuple):
            return tuple(map(self._half, k))
        return self._half(k)

    def _half(self, side: int) -> int:
        return self.dilation[0] * (side - 1) // 2 if side % 2 else 0

    def depends_on(self) -> tuple[Expr | int, ...]:
        kernel = () if isinstance(self.kernel, tuple) else (self.kernel,)
        return (self.width_in, self.width_out, *kernel, self.group_count)

    def shapes(self) -> dict[str, Shape]:
        sides = self.kernel if isinstance(self.kernel, tuple) else (self.kernel,) * self._dimensions
        ungrouped = isinstance(self.group_count, int) and self.group_count == 1
        per_group = self.width_in if ungrouped else cast(Any, self.width_in) // self.group_count
        return {"weight": (self.width_out, per_group, *sides), "bias": (self.width_out,)}

    def plain(self) -> nn.Module:
        c_in, c_out, k, g = self._sizes()
        kind: Any = self._kind
        layer = kind(
            c_in,
            c_out,
            k,
            stride=self.stride,
            padding=self._padding(k),
            dilation=self.dilation[0],
            groups=g,
            bias=self.bias is not None,
            device="meta",
        )
        return copy_into(layer, weight=self.active_weight(), bias=self.active_bias())

    def extra_repr(self) -> str:
        return f"{self.width_in}, {self.width_out}, kernel_size={self.kernel}, stride={self.stride[0]}"


class ElasticConv2d(_ElasticConv, nn.Conv2d):  # type: ignore[misc]
    """A convolution with elastic width, kernel and groups: (B, c_in, H, W) -> (B, c_out, H', W').

    The weight (C_out, C_in / groups, K, K) is held for the largest sizes. An architecture uses the first
    c_out filters, their first c_in channels and the centre k × k of the kernel (OFA, §3.2; with its kernel transform:
    `TransformConv2d`). With a fixed number of groups the prefix is taken within every group. The setting `slice` takes
    other channels than the first, see `supernet.nn.slices`.

    Args:
        in_channels: Input width, fixed or an expression.
        out_channels: Output width, fixed or an expression.
        kernel_size: Kernel side; an expression's values are odd. A kernel that does not vary may be even, or
            have one side per dimension, as in (height, width).
        stride: Stride, the same for every architecture; a number, or one per dimension.
        padding: Padding of a kernel that does not vary. Default: half of the kernel where it is odd, which keeps the
            size at stride 1, and none where it is even.
        dilation: Dilation, the same for every architecture.
        groups: Number of groups. For a depthwise layer pass the expression of its width.
        bias: Whether to add a bias.

    Raises:
        UsageError: a size below 1, an even kernel among several, a stride or padding that varies, or widths that the
            groups do not divide.
    """

    _kind, _convolve, _dimensions = nn.Conv2d, staticmethod(F.conv2d), 2


class ElasticConv1d(_ElasticConv, nn.Conv1d):  # type: ignore[misc]
    """A convolution of series with elastic width, kernel and groups: (B, c_in, T) -> (B, c_out, T').

    Arguments and errors are those of `ElasticConv2d`.
    """

    _kind, _convolve, _dimensions = nn.Conv1d, staticmethod(F.conv1d), 1


class ElasticConv3d(_ElasticConv, nn.Conv3d):  # type: ignore[misc]
    """A convolution of volumes with elastic width, kernel and groups: (B, c_in, D, H, W) -> (B, c_out, D', H', W').

    Arguments and errors are those of `ElasticConv2d`.
    """

    _kind, _convolve, _dimensions = nn.Conv3d, staticmethod(F.conv3d), 3


class ElasticConvTranspose2d(nn.ConvTranspose2d, Mutable):
    """A transposed convolution with elastic width: (B, c_in, H, W) -> (B, c_out, H', W').

    The weight (C_in, C_out, K, K) is held for the largest widths, of which an architecture uses prefixes; the kernel
    does not vary.

    Args:
        in_channels: Input width, fixed or an expression.
        out_channels: Output width, fixed or an expression.
        kernel_size: Kernel side, or (height, width).
        stride: Stride, the factor by which the maps grow.
        padding: What is cut off the borders of the output.
        output_padding: What is added to the lower and right border of the output.
        bias: Whether to add a bias.

    Raises:
        UsageError: a size below 1, or one that varies and must not.
    """

    def __init__(
        self,
        in_channels: Expr | int,
        out_channels: Expr | int,
        kernel_size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        output_padding: int | tuple[int, int] = 0,
        bias: bool = True,
    ) -> None:
        check_size("input width", in_channels)
        check_size("output width", out_channels)
        _check_fixed("kernel size", kernel_size, 2)
        _check_fixed("stride", stride, 2)
        for label, given in (("padding", padding), ("output padding", output_padding)):
            _check_fixed(label, given, 2, minimum=0)
        sizes: Any = {"stride": stride, "padding": padding, "output_padding": output_padding}
        nn.ConvTranspose2d.__init__(
            self, largest_value(in_channels), largest_value(out_channels), kernel_size, bias=bias, **sizes
        )
        self.width_in, self.width_out = in_channels, out_channels

    def _slices(self) -> tuple[Tensor, Tensor | None]:
        c_in, c_out = self.selection.value(self.width_in), self.selection.value(self.width_out)
        weight, bias = self.weight, self.bias
        if (c_in, c_out) != weight.shape[:2]:
            weight = weight[:c_in, :c_out]
        return weight, bias if bias is None or c_out == len(bias) else bias[:c_out]

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        weight, bias = self._slices()
        check_width(input.shape[1], weight.shape[0], "transposed convolution")
        if weight.shape != self.weight.shape:
            refuse_slices(self.selection, "transposed convolution")
        padding, output_padding = cast(Any, self.padding), cast(Any, self.output_padding)
        return F.conv_transpose2d(input, weight, bias, self.stride, padding, output_padding)

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width_in, self.width_out)

    def shapes(self) -> dict[str, Shape]:
        return {"weight": (self.width_in, self.width_out, *self.kernel_size), "bias": (self.width_out,)}

    def plain(self) -> nn.Module:
        weight, bias = self._slices()
        sizes: Any = {"stride": self.stride, "padding": self.padding, "output_padding": self.output_padding}
        c_in, c_out = weight.shape[:2]
        kernel = cast(Any, self.kernel_size)
        layer = nn.ConvTranspose2d(c_in, c_out, kernel, bias=bias is not None, device="meta", **sizes)
        return copy_into(layer, weight=weight, bias=bias)

    def extra_repr(self) -> str:
        return f"{self.width_in}, {self.width_out}, kernel_size={self.kernel_size}, stride={self.stride}"


def centre(weight: Tensor, k: int) -> Tensor:
    """The centre of filters (c_out, c_in / g, K, …): (c_out, c_in / g, k, …), a view."""
    start = (weight.shape[2] - k) // 2
    return weight[(slice(None), slice(None), *[slice(start, start + k)] * (weight.ndim - 2))]


def _check_sizes(
    in_channels: Expr | int,
    out_channels: Expr | int,
    kernel_size: Expr | Sides,
    groups: Expr | int,
    dimensions: int,
) -> None:
    check_size("number of groups", groups)
    if isinstance(kernel_size, tuple):
        _check_fixed("kernel size", kernel_size, dimensions)
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


def _check_fixed(label: str, value: object, dimensions: int, *, minimum: int = 1) -> None:
    numbers = value if isinstance(value, tuple) and len(value) == dimensions else (value,)
    if not all(isinstance(number, Integral) and int(number) >= minimum for number in numbers):
        several = {1: "", 2: ", or (height, width)", 3: ", or (depth, height, width)"}[dimensions]
        raise UsageError(
            f"The {label} of an elastic convolution is {value}; it does not vary, so give a whole number of at least "
            f"{minimum}{several}. Where it is to be searched, make it an OpChoice between convolutions."
        )
