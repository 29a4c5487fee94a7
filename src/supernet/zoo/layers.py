"""Layers that spaces are made of: convolutions with BatchNorm, gates of channels, heads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, cast

from torch import Tensor, nn

from supernet.nn import ElasticConv2d, TransformConv2d
from supernet.space import Expr, round_to

Norm: TypeAlias = Callable[[Any], nn.Module]
"""Makes the BatchNorm of a width, which is a number or an expression."""

_ACTIVATIONS = {"relu": nn.ReLU, "relu6": nn.ReLU6, "hswish": nn.Hardswish, "swish": nn.SiLU, "mish": nn.Mish}


def activation_layer(name: str) -> nn.Module:
    """A new layer of the activation `"relu"`, `"relu6"`, `"hswish"`, `"swish"` or `"mish"`."""
    layer: nn.Module = cast(Any, _ACTIVATIONS[name])(inplace=True)
    return layer


def conv_bn(
    width_in: Expr | int,
    width_out: Expr | int,
    kernel: Expr | int = 1,
    *,
    stride: int = 1,
    groups: Expr | int = 1,
    norm: Norm,
    activation: str | None = None,
    transform: bool = False,
) -> list[nn.Module]:
    """A convolution without bias, BatchNorm and, unless it is None, an activation.

    With `transform` a kernel that varies has OFA's kernel transform.
    """
    kind: Any = TransformConv2d if transform and isinstance(kernel, Expr) else ElasticConv2d
    convolution = kind(width_in, width_out, kernel, stride=stride, groups=groups, bias=False)
    return [convolution, norm(width_out), *([] if activation is None else [activation_layer(activation)])]


def classifier(
    features: Iterable[nn.Module], width: int, num_classes: int, *, dropout: float | None = None, bias: bool = True
) -> nn.Sequential:
    """A head: features (B, width, H, W) of the given layers, their means, perhaps dropout, logits (B, K)."""
    dropped = [] if dropout is None else [nn.Dropout(dropout)]
    classes = nn.Linear(width, num_classes, bias=bias)
    return nn.Sequential(*features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), *dropped, classes)


class SqueezeExcite(nn.Module):
    """Gates every channel by a function of all channel means: (B, c, H, W) -> (B, c, H, W).

    Args:
        width: Number of channels c; a quarter of them, rounded to a multiple of 8, stand between.
        activation: Activation between the two layers.
        hard: Whether the gate is the piecewise linear form of a sigmoid; None: with `"hswish"`, as in MobileNetV3.
        reduced: The channels between the two layers; None: as said of `width`.
    """

    def __init__(
        self, width: Expr | int, activation: str, *, hard: bool | None = None, reduced: Expr | int | None = None
    ) -> None:
        super().__init__()
        hard = activation == "hswish" if hard is None else hard
        reduced = round_to(cast(Any, width) / 4, 8) if reduced is None else reduced
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            ElasticConv2d(width, reduced, 1),
            activation_layer(activation),
            ElasticConv2d(reduced, width, 1),
            nn.Hardsigmoid() if hard else nn.Sigmoid(),
        )
        self.reduced = reduced

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.gate(x)
        return x * gate

    def inner_channels(self) -> Iterator[tuple[Expr | int, nn.Module]]:
        """The reduced width, read by the second convolution."""
        yield self.reduced, self.gate[3]
