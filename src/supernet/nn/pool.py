"""Average pooling that keeps up with the convolutions around it."""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.nn.mutable import Mutable


class AvgPool3x3(nn.AvgPool2d, Mutable):
    """3 × 3 averages at stride 1 over the pixels inside the image: (B, C, H, W) -> (B, C, H, W).

    Output and gradient are those of `nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)` up to rounding, and
    extraction leaves that module behind. On the CPU the sums of an average and of its adjoint are formed by a depthwise
    convolution, several times faster than by torch's own passes.
    """

    def __init__(self) -> None:
        super().__init__(3, stride=1, padding=1, count_include_pad=False)

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type == "cpu":
            sums: Tensor = _WindowSums.apply(input)
            return sums.mul_(_shares((input.shape[-3], input.shape[-2], input.shape[-1]), input.dtype))
        return super().forward(input)

    def depends_on(self) -> tuple[int, ...]:
        return ()

    def plain(self) -> nn.Module:
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)


# An operator of its own: counters of arithmetic would take its convolution for one of the network's.
_OPERATORS = torch.library.Library("supernet", "FRAGMENT")  # type: ignore[no-untyped-call]
_OPERATORS.define("window_sums(Tensor x) -> Tensor")  # type: ignore[no-untyped-call]


@torch.library.impl(_OPERATORS, "window_sums", "CompositeExplicitAutograd")
def _sums_by_convolution(x: Tensor) -> Tensor:
    channels = x.shape[-3]
    return F.conv2d(x, x.new_ones(channels, 1, 3, 3), padding=1, groups=channels)


class _WindowSums(torch.autograd.Function):
    """The sum of every 3 × 3 window, which is its own adjoint."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        sums: Tensor = torch.ops.supernet.window_sums(x)
        return sums

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        sums: Tensor = _WindowSums.apply(*gradients)
        return sums


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)
def _shares(shape: tuple[int, int, int], dtype: torch.dtype) -> Tensor:
    """One over the number of pixels inside the image under each window, 9, at an edge 6, in a corner 4: (1, C, H, W).

    Written out for every channel: a product with a tensor that is broadcast over them is slower.
    """
    rows, columns = (torch.tensor([min(i, 1) + 1 + min(n - 1 - i, 1) for i in range(n)]) for n in shape[1:])
    shares = (1 / torch.outer(rows, columns).double()).to(dtype)
    return shares.expand(1, *shape).contiguous(memory_format=torch.channels_last)
