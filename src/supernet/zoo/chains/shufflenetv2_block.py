"""The two kinds of block of SPOS's space: ShuffleNetV2's unit with kernel 3, 5 or 7, and its Xception form."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from supernet.nn import ElasticBatchNorm2d, Statistics
from supernet.space import Expr
from supernet.zoo.layers import conv_bn


class ShuffleBlock(nn.Module):
    """Half of the channels pass, the others go through the main branch: (B, c_in, H, W) -> (B, c_out, ⌈H/s⌉, ⌈W/s⌉).

    The even channels pass and the odd ones are computed on, which is ShuffleNetV2's channel shuffle and split in one.
    In the first layer of a stage, where the width changes, both branches see all channels instead, and what passes is
    a depthwise and a 1 × 1 convolution of the input. The main branch makes the channels that are missing.

    Args:
        width_in: Input width c_in.
        width_out: Output width c_out.
        hidden: Width inside the main branch.
        kernel: Side of the depthwise kernel; None for the Xception form, three 3 × 3 in a row.
        stride: Stride s.
        first: Whether this is the first layer of a stage.
        affine: Whether BatchNorm learns scale and shift.
        statistics: BatchNorm policy.
    """

    def __init__(
        self,
        width_in: int,
        width_out: int,
        *,
        hidden: Expr | int,
        kernel: int | None,
        stride: int,
        first: bool,
        affine: bool,
        statistics: Statistics,
    ) -> None:
        super().__init__()
        self.width_in, self.width_out, self.hidden, self.stride = width_in, width_out, hidden, stride

        norm = partial(ElasticBatchNorm2d, affine=affine, statistics=statistics)
        pointwise = partial(conv_bn, norm=norm, activation="relu")

        def depthwise(width: Expr | int, side: int, stride: int = 1) -> list[nn.Module]:
            return conv_bn(width, width, side, stride=stride, groups=width, norm=norm)

        seen = width_in if first else width_in // 2
        made = width_out - seen
        if kernel is None:
            main = [
                *(*depthwise(seen, 3, stride), *pointwise(seen, hidden)),
                *(*depthwise(hidden, 3), *pointwise(hidden, hidden)),
                *(*depthwise(hidden, 3), *pointwise(hidden, made)),
            ]
        else:
            main = [*pointwise(seen, hidden), *depthwise(hidden, kernel, stride), *pointwise(hidden, made)]
        self.main = nn.Sequential(*main)
        self.passing = nn.Sequential(*depthwise(seen, kernel or 3, stride), *pointwise(seen, seen)) if first else None

    def forward(self, x: Tensor) -> Tensor:
        if self.passing is not None:
            return torch.cat((self.passing(x), self.main(x)), 1)
        return torch.cat((x[:, ::2], self.main(x[:, 1::2])), 1)
