"""Average pooling whose backward pass keeps up with the convolutions around it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.nn.mutable import Mutable


class AvgPool3x3(nn.AvgPool2d, Mutable):
    """3 × 3 averages at stride 1 over the pixels inside the image: (B, C, H, W) -> (B, C, H, W).

    The output is that of `nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)`, bit for bit, and extraction
    leaves that module behind. Only the gradient is computed differently on the CPU: the adjoint of an average is a sum,
    which a depthwise convolution forms several times faster than torch's own backward pass.
    """

    def __init__(self) -> None:
        super().__init__(3, stride=1, padding=1, count_include_pad=False)

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type == "cpu" and input.requires_grad:
            pooled: Tensor = _Average.apply(input)
            return pooled
        return super().forward(input)

    def depends_on(self) -> tuple[int, ...]:
        return ()

    def plain(self) -> nn.Module:
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)


class _Average(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        _, channels, height, width = gradient.shape
        # Pixels inside the image under each window: 9, at an edge 6, in a corner 4.
        counts = [torch.full((size,), 3.0, dtype=torch.float64) for size in (height, width)]
        counts = [count.index_fill(0, torch.tensor([0, len(count) - 1]), 2.0) for count in counts]
        counts = [count if len(count) > 1 else torch.ones_like(count) for count in counts]
        weight = (1 / torch.outer(*counts)).to(gradient).expand(1, channels, height, width)
        share = gradient * weight.contiguous(memory_format=torch.channels_last)
        ones = gradient.new_ones(channels, 1, 3, 3)
        return F.conv2d(share, ones, padding=1, groups=channels)
