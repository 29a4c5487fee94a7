"""Once-for-All's space on MobileNetV3 (Cai et al., ICLR 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import nn

from supernet.nn import ElasticBatchNorm2d, ElasticResolution, Statistics, Supernet
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.zoo.arguments import check_at_least_one, check_dropout
from supernet.zoo.axes import axis, check_axes
from supernet.zoo.chains.inverted_residual import InvertedResidual
from supernet.zoo.elastic.ofa_chain import OfaChain, OfaStage, ofa_resolutions, ofa_stages
from supernet.zoo.initialisation import fan_out_normal
from supernet.zoo.layers import activation_layer, conv_bn
from supernet.zoo.scaling import scaled_width, strides_for

PAPER = Paper(
    name="OFA",
    title="Once-for-All: Train One Network and Specialize it for Efficient Deployment",
    authors=("Cai", "Gan", "Wang", "Zhang", "Han"),
    venue="ICLR",
    year=2020,
    arxiv="1908.09791",
    provenance="official code",
)

STEM, FIRST, EXPAND, HEAD = 16, 16, 960, 1280
STAGES = (
    OfaStage(24, 2, "relu"),
    OfaStage(40, 2, "relu", gated=True),
    OfaStage(80, 2, "hswish"),
    OfaStage(112, 1, "hswish", gated=True),
    OfaStage(160, 2, "hswish", gated=True),
)

TINY: dict[str, Any] = {"width_multiplier": 0.25, "depths": (1, 2), "expansions": (2, 3, 4), "dropout": 0.0}
"""Options of a network for images of 28 to 64 pixels that trains on a CPU."""


def ofa_mobilenetv3(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    width_multiplier: float = 1.0,
    depths: Sequence[int] = (2, 3, 4),
    kernels: Sequence[int] = (3, 5, 7),
    expansions: Sequence[int] = (3, 4, 6),
    resolutions: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    transform: bool = True,
    dropout: float = 0.1,
    statistics: Statistics = "calibrate",
) -> Supernet:
    """OFA-MobileNetV3: depth per stage, kernel and expansion per block; 7371⁵ ≈ 2.2 · 10¹⁹ networks per resolution.

    Cai et al., ICLR 2020, [arXiv 1908.09791](https://arxiv.org/abs/1908.09791), §3.2.

    Choices are named `"resolution"`, `"stage1.depth"`, `"stage1.block1.kernel"`, `"stage1.block1.expansion"` …; those
    of a block matter only where the stage is deep enough. An axis with a single option is fixed and makes no choice.
    Smaller kernels are made of larger ones by `nn.TransformConv2d`.

    Args:
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels.
        width_multiplier: Factor on all widths; the released networks have 1.0 and 1.2.
        depths: Numbers of blocks that each of the five stages may have.
        kernels: Sides of the depthwise kernels.
        expansions: Ratios of hidden to input width.
        resolutions: Sides in pixels to which the images are resized; None: 128, 132 … 224 at 224 pixels (from 160 with
            a width multiplier above 1), else some from 5/8 of the image to the image itself.
        strides: Strides of the stem, the fixed block and the five stages; None: (2, 1, 2, 2, 2, 1, 2), of which as many
            are 1 as small images need.
        transform: Whether smaller kernels are made of larger ones by matrices; without it they are the centre.
        dropout: Probability with which features are dropped before the classifier.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an option out of range, or a resolution too small for the strides.

    >>> ofa_mobilenetv3(image_size=28, width_multiplier=0.25, resolutions=(28,)).space.size == 7371**5
    True
    """
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    check_axes(depths=depths, kernels=kernels, expansions=expansions)
    check_statistics(statistics)
    check_dropout(dropout)
    published = (2, 1, *(stage.stride for stage in STAGES))
    strides = strides_for(image_size, published=published, given=strides)
    sides = ofa_resolutions(image_size, resolutions, strides, smallest=160 if width_multiplier > 1 else 128)
    stem, first, expand, head = (scaled_width(width, width_multiplier) for width in (STEM, FIRST, EXPAND, HEAD))
    widths = [scaled_width(stage.width, width_multiplier) for stage in STAGES]
    norm = partial(ElasticBatchNorm2d, statistics=statistics)
    net = OfaChain(
        resize=ElasticResolution(axis("resolution", sides), native=image_size),
        stem=conv_bn(in_channels, stem, 3, stride=strides[0], norm=norm, activation="hswish"),
        first=InvertedResidual(stem, first, expansion=1, kernel=3, stride=strides[1], norm=norm, activation="relu"),
        stages=ofa_stages(
            STAGES,
            first,
            widths,
            strides[2:],
            depths=depths,
            kernels=kernels,
            expansions=expansions,
            transform=transform,
            statistics=statistics,
            eps=1e-5,
        ),
        head=nn.Sequential(
            *conv_bn(widths[-1], expand, norm=norm, activation="hswish"),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(expand, head, 1, bias=False),
            activation_layer("hswish"),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(head, num_classes),
        ),
    )
    fan_out_normal(net, by="inputs")
    return Supernet(net, input_shape=(in_channels, image_size, image_size))
