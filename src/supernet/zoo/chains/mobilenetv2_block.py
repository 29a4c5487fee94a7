"""MobileNetV2's inverted residual block, of fixed size."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn

from supernet.nn import ElasticConv2d, Statistics, batch_norm
from supernet.zoo.elastic.elastic_mbconv_block import SqueezeExcite

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu6": nn.ReLU6, "relu": nn.ReLU, "hswish": nn.Hardswish}


class InvertedResidual(nn.Module):
    """Expand, depthwise, project: (B, c_in, H, W) -> (B, c_out, ⌈H/s⌉, ⌈W/s⌉), residual where the shape stays.

    Args:
        width_in: Input width c_in.
        width_out: Output width c_out.
        expansion: Ratio of hidden to input width. A ratio of 1 has no expanding convolution.
        kernel: Side of the depthwise kernel.
        stride: Stride s.
        gated: Whether to gate the hidden channels by their means (squeeze and excitation, ratio 1/4).
        activation: `"relu6"`, `"relu"` or `"hswish"`.
        affine: Whether BatchNorm learns scale and shift.
        statistics: BatchNorm policy.
    """

    def __init__(
        self,
        width_in: int,
        width_out: int,
        *,
        expansion: int,
        kernel: int,
        stride: int,
        gated: bool,
        activation: str,
        affine: bool,
        statistics: Statistics,
    ) -> None:
        super().__init__()
        self.width_in, self.width_out, self.stride = width_in, width_out, stride
        self.residual = stride == 1 and width_in == width_out
        hidden = expansion * width_in
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += conv_bn(width_in, hidden, 1, activation=activation, affine=affine, statistics=statistics)
        layers += conv_bn(
            hidden,
            hidden,
            kernel,
            stride=stride,
            groups=hidden,
            activation=activation,
            affine=affine,
            statistics=statistics,
        )
        if gated:
            layers.append(SqueezeExcite(hidden, activation))
        layers += conv_bn(hidden, width_out, 1, activation=None, affine=affine, statistics=statistics)
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return out + x if self.residual else out


def conv_bn(
    width_in: int,
    width_out: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: str | None,
    affine: bool,
    statistics: Statistics,
) -> list[nn.Module]:
    """A convolution without bias, BatchNorm and, unless it is None, an activation."""
    layers: list[nn.Module] = [
        ElasticConv2d(width_in, width_out, kernel, stride=stride, groups=groups, bias=False),
        batch_norm(width_out, affine=affine, statistics=statistics),
    ]
    if activation is not None:
        layers.append(cast(Any, _ACTIVATIONS[activation])(inplace=True))
    return layers
