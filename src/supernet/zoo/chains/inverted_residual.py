"""MobileNetV2's inverted residual block, of fixed size."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from supernet.zoo.layers import Norm, SqueezeExcite, conv_bn


class InvertedResidual(nn.Module):
    """Expand, depthwise, project: (B, c_in, H, W) -> (B, c_out, ⌈H/s⌉, ⌈W/s⌉), residual where the shape stays.

    Args:
        width_in: Input width c_in.
        width_out: Output width c_out.
        expansion: Ratio of hidden to input width. A ratio of 1 has no expanding convolution.
        kernel: Side of the depthwise kernel.
        stride: Stride s.
        norm: Maker of BatchNorms.
        gated: Whether to gate the hidden channels by their means (squeeze and excitation, ratio 1/4).
        activation: `"relu6"`, `"relu"`, `"hswish"` or `"swish"`.
        gate: Makes another gate of the hidden channels, by their number; None: that of `gated`, if any.
        group_width: Channels of a group of the convolution between, which divides the hidden width; 1: depthwise.
    """

    def __init__(
        self,
        width_in: int,
        width_out: int,
        *,
        expansion: int,
        kernel: int,
        stride: int,
        norm: Norm,
        gated: bool = False,
        activation: str = "relu",
        gate: Callable[[int], nn.Module] | None = None,
        group_width: int = 1,
    ) -> None:
        super().__init__()
        self.width_in, self.width_out, self.stride = width_in, width_out, stride
        self.residual = stride == 1 and width_in == width_out
        hidden = expansion * width_in
        groups = hidden // group_width
        self.body = nn.Sequential(
            *(conv_bn(width_in, hidden, norm=norm, activation=activation) if expansion > 1 else ()),
            *conv_bn(hidden, hidden, kernel, stride=stride, groups=groups, norm=norm, activation=activation),
            *([gate(hidden)] if gate else [SqueezeExcite(hidden, activation)] if gated else []),
            *conv_bn(hidden, width_out, norm=norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return out + x if self.residual else out
