"""The space of FedSup (Kim and Yun, ICML-W 2022): MobileNetV1 blocks of elastic width, kernel and depth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import ElasticBatchNorm2d, ElasticDepth, ElasticLinear, ElasticShortcut, Statistics, Supernet
from supernet.nn.parametric_norm import ElasticParametricNorm2d
from supernet.paper import Paper
from supernet.space import Choice, Expr
from supernet.zoo.arguments import check_at_least_one, check_dropout
from supernet.zoo.axes import axis
from supernet.zoo.layers import Norm, conv_bn
from supernet.zoo.scaling import scaled_width, strides_for

PAPER = Paper(
    name="FedSup",
    title="Supernet Training for Federated Image Classification under System Heterogeneity",
    authors=("Kim", "Yun"),
    venue="ICML-W",
    year=2022,
    arxiv="2206.01366",
    provenance="official code",
)

STEM = 32
WIDTHS = ((32, 64), (64, 128), (128, 256), (512, 1024))
DEPTHS = (1, 2, 2, 2)
KERNELS = (3, 5, 7)
STRIDES = (2, 1, 2, 2, 2)

TINY: dict[str, Any] = {"width_multiplier": 0.125}
"""For images of 8 pixels, with every kind of choice: `fedsup(**TINY, image_size=8, in_channels=1)`."""


class SeparableBlock(nn.Module):
    """Depthwise, pointwise and a way around: (B, c_in, H, W) -> (B, c_out, ⌈H/s⌉, ⌈W/s⌉).

    Args:
        width_in: Input width c_in.
        width_out: Output width c_out.
        kernel: Side of the depthwise kernel.
        stride: Stride s of the depthwise convolution.
        norm: Makes the normalisation of a width.
    """

    def __init__(
        self, width_in: Expr | int, width_out: Expr | int, *, kernel: Expr | int, stride: int, norm: Norm
    ) -> None:
        super().__init__()
        pointwise = conv_bn(width_in, width_out, norm=norm)
        nn.init.zeros_(pointwise[-1].get_parameter("weight"))
        depthwise = conv_bn(width_in, width_in, kernel, stride=stride, groups=width_in, norm=norm, activation="relu")
        self.body = nn.Sequential(*depthwise, *pointwise)
        self.shortcut = ElasticShortcut(width_in, width_out, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x) + self.shortcut(x)
        return out


class FedSupNet(nn.Module):
    """Stem, stages and a linear classifier on the means of the last features."""

    def __init__(self, stem: nn.Module, stages: Sequence[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.stem, self.stages, self.head = stem, nn.Sequential(*stages), head

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.stages(self.stem(x)))
        return logits


def fedsup(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    image_size: int = 32,
    width_multiplier: float = 1.0,
    strides: Sequence[int] | None = None,
    dropout: float = 0.0,
    norm: Literal["parametric", "batch"] = "parametric",
    statistics: Statistics = "calibrate",
) -> Supernet:
    """FedSup's: per stage one width, one kernel and a depth; 10,368.

    [arXiv 2206.01366](https://arxiv.org/abs/2206.01366) and the released code (Kthyeon/FedSup): a stem of 32 channels
    and four stages of MobileNetV1 blocks, each with a way around it. The choices are `"stage1.width"` to
    `"stage4.width"`, `"stage2.depth"` to `"stage4.depth"` and `"stage1.kernel"` to `"stage4.kernel"`; all blocks of a
    stage share them. Every block starts as its shortcut, the last scale at 0.

    The released code counts parameters of shortcut convolutions that never run, where widths agree: 2.99 M of the
    largest network for ten classes, of which 1.86 M are used. Here there are those that are used.

    Args:
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels; sets the default of `strides`.
        width_multiplier: Factor on all widths, rounded to multiples of 8; options that become equal are one.
        strides: Strides of the stem and of the first block of each stage; published (2, 1, 2, 2, 2). None: those from
            32 pixels on, and below of these the leading ones become 1 until the last feature map has 4 × 4 pixels.
        dropout: Probability of dropping a feature before the classifier.
        norm: Whether layers are followed by parametric normalisation (see `supernet.nn.ElasticParametricNorm2d`, also
            on what that means for single images) or by batch normalisation.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`; of `norm="batch"` alone.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an option out of range.

    >>> fedsup().space.size
    10368
    """
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    check_dropout(dropout)
    if norm not in ("parametric", "batch"):
        raise UsageError(f"The normalisation is 'parametric' or 'batch'; got norm={norm!r}.")
    if norm == "parametric" and statistics != "calibrate":
        raise UsageError(
            f"statistics={statistics!r} was given, but parametric normalisation keeps none. Leave it out, or choose "
            "norm='batch'."
        )
    if strides is None and image_size >= 32:
        strides = STRIDES
    strides = strides_for(image_size, published=STRIDES, given=strides)
    make: Norm = ElasticParametricNorm2d if norm == "parametric" else partial(ElasticBatchNorm2d, statistics=statistics)
    width: Expr | int = scaled_width(STEM, width_multiplier)
    stem = nn.Sequential(*conv_bn(in_channels, width, 3, stride=strides[0], norm=make, activation="relu"))
    stages = []
    for number, (widths, deepest, stride) in enumerate(zip(WIDTHS, DEPTHS, strides[1:], strict=True), start=1):
        width_out = axis(
            f"stage{number}.width", list(dict.fromkeys(scaled_width(one, width_multiplier) for one in widths))
        )
        depth = axis(f"stage{number}.depth", list(range(1, deepest + 1)))
        kernel = Choice(f"stage{number}.kernel", KERNELS)
        blocks = [
            SeparableBlock(
                width_out if place else width,
                width_out,
                kernel=kernel,
                stride=1 if place else stride,
                norm=make,
            )
            for place in range(deepest)
        ]
        stages.append(ElasticDepth(depth, blocks))
        width = width_out
    dropped = [nn.Dropout(dropout)] if dropout else []
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), *dropped, ElasticLinear(width, num_classes))
    return Supernet(FedSupNet(stem, stages, head), input_shape=(in_channels, image_size, image_size))
