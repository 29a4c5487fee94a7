"""The inverted residual block with elastic width, kernel and expansion."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn

from supernet.nn import ElasticBatchNorm2d, ElasticConv2d, Statistics
from supernet.space import Expr, round_to

_ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6, "hswish": nn.Hardswish, "swish": nn.SiLU}


def activation_layer(name: str) -> nn.Module:
    """A new layer of the activation `"relu"`, `"relu6"`, `"hswish"` or `"swish"`."""
    layer: nn.Module = cast(Any, _ACTIVATIONS[name])(inplace=True)
    return layer


class MBConv(nn.Module):
    """Expand, depthwise, project: (B, c_in, H, W) -> (B, c_out, ⌈H/s⌉, ⌈W/s⌉).

    The hidden width is c_in × expansion, rounded to a multiple of 8.

    Args:
        width_in: Input width c_in.
        width_out: Output width c_out.
        kernel: Side of the depthwise kernel.
        expansion: Ratio of hidden to input width. A ratio of 1 keeps the expanding convolution.
        stride: Stride s of the depthwise convolution.
        residual: Whether to add the input; needs stride 1 and one width for input and output.
        squeeze_excite: Whether to gate the hidden channels.
        activation: `"relu"`, `"hswish"` or `"swish"`.
        statistics: BatchNorm policy.
        zero_gamma: Whether a residual block starts as the identity.
    """

    def __init__(
        self,
        width_in: Expr | int,
        width_out: Expr | int,
        *,
        kernel: Expr | int,
        expansion: Expr | int,
        stride: int,
        residual: bool,
        squeeze_excite: bool,
        activation: str,
        statistics: Statistics,
        zero_gamma: bool,
    ) -> None:
        super().__init__()
        self.width_in, self.width_out, self.kernel, self.expansion = width_in, width_out, kernel, expansion
        self.stride, self.residual = stride, residual
        hidden = round_to(cast(Any, width_in) * expansion, 8)
        last = ElasticBatchNorm2d(width_out, statistics=statistics)
        if residual and zero_gamma:
            nn.init.zeros_(last.weight)
        layers: list[nn.Module] = [
            ElasticConv2d(width_in, hidden, 1, bias=False),
            ElasticBatchNorm2d(hidden, statistics=statistics),
            activation_layer(activation),
            ElasticConv2d(hidden, hidden, kernel, stride=stride, groups=hidden, bias=False),
            ElasticBatchNorm2d(hidden, statistics=statistics),
            activation_layer(activation),
            ElasticConv2d(hidden, width_out, 1, bias=False),
            last,
        ]
        if squeeze_excite:
            layers.insert(6, SqueezeExcite(hidden, activation))
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return out + x if self.residual else out


class SqueezeExcite(nn.Module):
    """Gates every channel by a function of all channel means: (B, c, H, W) -> (B, c, H, W).

    The gate is a sigmoid, with `"hswish"` its piecewise linear form as in MobileNetV3.
    """

    def __init__(self, width: Expr | int, activation: str) -> None:
        super().__init__()
        reduced = round_to(cast(Any, width) / 4, 8)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            ElasticConv2d(width, reduced, 1),
            activation_layer(activation),
            ElasticConv2d(reduced, width, 1),
            nn.Hardsigmoid() if activation == "hswish" else nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.gate(x)
        return x * gate
