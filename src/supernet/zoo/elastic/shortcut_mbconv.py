"""The inverted residual block that every place of a single-stage model has, with a shortcut everywhere."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from torch import Tensor, nn

from supernet.nn import DropPath, ElasticBatchNorm2d, ElasticShortcut, Statistics
from supernet.space import Expr, round_to
from supernet.zoo.layers import SqueezeExcite, conv_bn


class ShortcutMBConv(nn.Module):
    """Expand, depthwise, project, with a way around whatever the widths: (B, c_in, H, W) -> (B, c_out, ⌈H/s⌉, ⌈W/s⌉).

    Activations are swish. The hidden width is c_in × expansion, rounded to a multiple of 8.

    Args:
        width_in: Input width c_in.
        width_out: Output width c_out.
        kernel: Side of the depthwise kernel.
        expansion: Ratio of hidden to input width; with the number 1 nothing expands.
        stride: Stride s of the depthwise convolution.
        squeeze_excite: Whether the hidden channels are gated, by ReLU and a piecewise linear sigmoid.
        drop_path: The share of the setting `drop_path` with which an image goes without the block; 0: none.
        statistics: BatchNorm policy.
        zero_gamma: Whether the block starts as its shortcut, the last BatchNorm at scale 0.
    """

    def __init__(
        self,
        width_in: Expr | int,
        width_out: Expr | int,
        *,
        kernel: Expr | int,
        expansion: Expr | int,
        stride: int,
        squeeze_excite: bool,
        drop_path: float,
        statistics: Statistics,
        zero_gamma: bool,
    ) -> None:
        super().__init__()
        self.width_in, self.width_out, self.kernel, self.expansion = width_in, width_out, kernel, expansion
        self.stride = stride
        expands = isinstance(expansion, Expr) or expansion != 1
        hidden = round_to(cast(Any, width_in) * expansion, 8) if expands else width_in
        conv = partial(conv_bn, norm=partial(ElasticBatchNorm2d, statistics=statistics))
        project = conv(hidden, width_out)
        if zero_gamma:
            nn.init.zeros_(project[-1].get_parameter("weight"))
        self.body = nn.Sequential(
            *(conv(width_in, hidden, activation="swish") if expands else []),
            *conv(hidden, hidden, kernel, stride=stride, groups=hidden, activation="swish"),
            *([SqueezeExcite(hidden, "relu", hard=True)] if squeeze_excite else []),
            *project,
            *([DropPath(drop_path)] if drop_path else []),
        )
        self.shortcut = ElasticShortcut(width_in, width_out, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x) + self.shortcut(x)
        return out
