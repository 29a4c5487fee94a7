"""The operations of DARTS's cells, by name."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import AvgPool3x3, ElasticConv2d, Mutable, Statistics, Zero, batch_norm
from supernet.nn.channels import Channels

OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""The operations that an edge can end with, in the order of the authors' code."""

SMALLEST_FIRST = (
    "none",
    "noise",
    "skip_connect",
    "avg_pool_3x3",
    "max_pool_3x3",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "sep_conv_3x3",
    "sep_conv_5x5",
)
"""Every operation there is, by its number of parameters."""

LABELS = {
    "skip_connect": "skip",
    "max_pool_3x3": "max pool 3×3",
    "avg_pool_3x3": "avg pool 3×3",
    "sep_conv_3x3": "sep 3×3",
    "sep_conv_5x5": "sep 5×5",
    "dil_conv_3x3": "dil 3×3",
    "dil_conv_5x5": "dil 5×5",
}


def operation(
    name: str,
    channels: int,
    *,
    stride: int,
    affine: bool,
    pool_norm: bool,
    norm_all: bool = False,
    statistics: Statistics,
) -> nn.Module:
    """An operation: (B, C, H, W) -> (B, C, ⌈H/stride⌉, ⌈W/stride⌉).

    Args:
        name: One of `SMALLEST_FIRST`.
        channels: Width C.
        stride: 1, or 2 on an edge from an input of a reduction cell.
        affine: Whether its BatchNorms learn scale and shift.
        pool_norm: Whether a BatchNorm without them follows a pooling, as in the searches.
        norm_all: Whether a BatchNorm like those of the others follows a pooling and the identity.
        statistics: What BatchNorm uses outside training.

    Raises:
        UsageError: there is no such operation.
    """
    match name:
        case "none":
            return Zero(stride)
        case "noise":
            return Noise(stride)
        case "skip_connect":
            reduce = FactorizedReduce(channels, channels, affine=affine, statistics=statistics)
            norm = batch_norm(channels, affine=affine, statistics=statistics)
            skip = nn.Sequential(SkipDropout(), norm) if norm_all else SkipDropout()
            return skip if stride == 1 else reduce
        case "max_pool_3x3" | "avg_pool_3x3":
            pool = _average(stride) if name == "avg_pool_3x3" else nn.MaxPool2d(3, stride=stride, padding=1)
            norm = batch_norm(channels, affine=affine and norm_all, statistics=statistics)
            return nn.Sequential(pool, norm) if pool_norm else pool
        case "sep_conv_3x3" | "sep_conv_5x5":
            kernel = int(name[-1])
            first = _depthwise(channels, kernel, stride=stride, affine=affine, statistics=statistics)
            return nn.Sequential(*first, *_depthwise(channels, kernel, affine=affine, statistics=statistics))
        case "dil_conv_3x3" | "dil_conv_5x5":
            return _depthwise(channels, int(name[-1]), stride=stride, dilation=2, affine=affine, statistics=statistics)
        case _:
            raise UsageError(f"There is no operation {name!r}; the operations are {', '.join(SMALLEST_FIRST)}.")


def _average(stride: int) -> nn.AvgPool2d:
    return AvgPool3x3() if stride == 1 else nn.AvgPool2d(3, stride=stride, padding=1, count_include_pad=False)


class SkipDropout(nn.Identity, Mutable):
    """A skip connection of stride 1, with dropout in searches (P-DARTS, arXiv 1904.12760, §3.3): x -> x, of any shape.

    In training each value is zeroed with the probability of the setting `skip_dropout`, 0 unless
    `net.active(arch, settings={"skip_dropout": 0.3})` says otherwise, and what remains is divided by 1 − that. In
    evaluation, and in extracted subnets, it is the identity.

    Raises:
        UsageError: while it runs, a probability that is not from 0 to below 1.
    """

    settings = ("skip_dropout",)

    def forward(self, input: Tensor) -> Tensor:
        p = self.selection.setting("skip_dropout", 0.0)
        if not 0 <= p < 1:
            raise UsageError(f"The setting skip_dropout is {p}; give a probability from 0 to below 1.")
        return F.dropout(input, p, self.training) if p else input

    def depends_on(self) -> tuple[int, ...]:
        return ()

    def plain(self) -> nn.Module:
        return nn.Identity()

    def extra_repr(self) -> str:
        return "p=the setting skip_dropout"


def stem(width_in: int, width_out: int, *, statistics: Statistics) -> nn.Sequential:
    """What the first cells of networks for CIFAR take: 3 × 3 convolution, BatchNorm."""
    conv = nn.Conv2d(width_in, width_out, 3, padding=1, bias=False)
    return nn.Sequential(conv, batch_norm(width_out, statistics=statistics))


def relu_conv_bn(width_in: int, width_out: int, *, affine: bool, statistics: Statistics) -> nn.Sequential:
    """What brings the inputs of a cell to its width: ReLU, 1 × 1 convolution, BatchNorm."""
    conv = nn.Conv2d(width_in, width_out, 1, bias=False)
    return nn.Sequential(nn.ReLU(), conv, batch_norm(width_out, affine=affine, statistics=statistics))


def convolution(
    width_in: int, width_out: int, kernel: int, *, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Conv2d:
    """A convolution without bias that keeps the size at stride 1; of channels with a name one that follows them."""
    options: dict[str, Any] = {"stride": stride, "padding": dilation * (kernel // 2), "dilation": dilation}
    elastic = isinstance(width_in, Channels) or isinstance(width_out, Channels)
    return (ElasticConv2d if elastic else nn.Conv2d)(width_in, width_out, kernel, groups=groups, bias=False, **options)


class FactorizedReduce(nn.Module):
    """Halves height and width without losing pixels: (B, C, H, W) -> (B, C', ⌈H/2⌉, ⌈W/2⌉).

    Two 1 × 1 convolutions of stride 2, one on the even and one on the odd pixels, give half of the channels each. Sides
    of odd length are continued by a row and a column of zeros. A ReLU comes first, or nothing with `relu=False`, and a
    BatchNorm last, or nothing with `norm=False`.

    Raises:
        UsageError: fewer than two channels, which have no halves.
    """

    def __init__(
        self,
        width_in: int,
        width_out: int,
        *,
        affine: bool,
        statistics: Statistics,
        relu: bool = True,
        norm: bool = True,
    ) -> None:
        super().__init__()
        if width_out < 2:
            raise UsageError(
                f"A skip connection of stride 2 gives halves of its channels pixels of their own; it has {width_out:d} "
                "channel. Give the space more channels, or partial channels a smaller `partial`."
            )
        self.relu = nn.ReLU() if relu else nn.Identity()
        even, odd, joined = width_out // 2, width_out - width_out // 2, width_out
        if isinstance(width_out, Channels):  # halves of which channels can be repeated
            parts = zip((even, odd, joined), ("even", "odd", "joined"), strict=True)
            even, odd, joined = (Channels(f"{width_out.name}.{part}", size) for size, part in parts)
        self.even = convolution(width_in, even, 1, stride=2)
        self.odd = convolution(width_in, odd, 1, stride=2)
        self.norm = batch_norm(joined, affine=affine, statistics=statistics) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        shifted = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        out: Tensor = self.norm(torch.cat([self.even(x), self.odd(shifted)], dim=1))
        return out


def _depthwise(
    channels: int, kernel: int, *, stride: int = 1, dilation: int = 1, affine: bool, statistics: Statistics
) -> nn.Sequential:
    """ReLU, depthwise and pointwise convolution, BatchNorm."""
    return nn.Sequential(
        nn.ReLU(),
        convolution(channels, channels, kernel, stride=stride, dilation=dilation, groups=channels),
        convolution(channels, channels, 1),
        batch_norm(channels, affine=affine, statistics=statistics),
    )


class Noise(nn.Module):
    """Standard normal noise in place of the input (RobustDARTS, S4): (B, C, H, W) -> (B, C, ⌈H/stride⌉, ⌈W/stride⌉).

    In training it is drawn from torch's generator. In evaluation it is a function of the image, so that scores repeat
    and do not depend on the other images of a batch: each value follows from the mean of the image and its own place by
    a hash of two sines, made normal by the transform of Box and Muller.

    Args:
        stride: Spatial reduction.
    """

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride].detach()
        if self.training:
            return torch.randn_like(x)
        image = x.mean((1, 2, 3), keepdim=True).double()
        place = torch.ones_like(image * x).flatten(1).cumsum(1).view_as(x)
        first = _fraction(torch.sin(12.9898 * place + 78.233 * image) * 43758.5453)
        second = _fraction(torch.sin(39.3468 * place + 11.135 * image + 1) * 24634.6345)
        noise = torch.sqrt(-2 * torch.log(first.clamp(min=1e-9))) * torch.cos(2 * torch.pi * second)
        return noise.type_as(x)


def _fraction(x: Tensor) -> Tensor:
    return x - torch.floor(x)
