"""The inverted residual block with elastic width, kernel and expansion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

from torch import Tensor, nn

from supernet.nn import ElasticBatchNorm2d, Statistics
from supernet.space import Expr, round_to
from supernet.zoo.layers import SqueezeExcite, conv_bn


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
        activation: `"relu"`, `"relu6"`, `"hswish"` or `"swish"`.
        statistics: BatchNorm policy.
        zero_gamma: Whether a residual block starts as the identity.
        transform: Whether smaller kernels are made of larger ones by OFA's kernel transform.
        gate: Makes the gate of the hidden channels, a module of their width; None: `SqueezeExcite` of the activation.
        eps: A small number that BatchNorm adds to the variance.
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
        transform: bool = False,
        gate: Callable[[Expr | int], nn.Module] | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.width_in, self.width_out, self.kernel, self.expansion = width_in, width_out, kernel, expansion
        self.stride, self.residual = stride, residual
        hidden = round_to(cast(Any, width_in) * expansion, 8)
        conv = partial(conv_bn, norm=partial(ElasticBatchNorm2d, statistics=statistics, eps=eps))
        layers = [
            *conv(width_in, hidden, activation=activation),
            *conv(hidden, hidden, kernel, stride=stride, groups=hidden, activation=activation, transform=transform),
            *conv(hidden, width_out),
        ]
        if residual and zero_gamma:
            nn.init.zeros_(layers[-1].get_parameter("weight"))
        if squeeze_excite:
            layers.insert(6, SqueezeExcite(hidden, activation) if gate is None else gate(hidden))
        self.hidden = hidden
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return out + x if self.residual else out

    def inner_channels(self) -> Iterator[tuple[Expr | int, nn.Module]]:
        """The hidden width, read by the projection."""
        yield self.hidden, self.body[-2]
