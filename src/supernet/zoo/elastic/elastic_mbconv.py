"""An elastic chain of MBConv blocks, the space of OFA and BigNAS, sized for small images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, TypeAlias, cast, get_args

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import ElasticBatchNorm2d, ElasticConv2d, ElasticDepth, ElasticResolution, Statistics, Supernet
from supernet.nn.diagram import Diagram
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch, Expr
from supernet.zoo.arguments import check_at_least_one, check_whole
from supernet.zoo.axes import axis, size_in
from supernet.zoo.drawing import Block, Drawn, chain
from supernet.zoo.elastic.elastic_mbconv_block import MBConv
from supernet.zoo.elastic.elastic_mbconv_stage import Stage, default_resolutions, default_stages
from supernet.zoo.layers import classifier, conv_bn

Activation: TypeAlias = Literal["relu", "hswish", "swish"]


PAPER = (
    Paper(
        name="OFA",
        title="Once-for-All: Train One Network and Specialize it for Efficient Deployment",
        authors=("Cai", "Gan", "Wang", "Zhang", "Han"),
        venue="ICLR",
        year=2020,
        arxiv="1908.09791",
        provenance="reconstruction",
    ),
    Paper(
        name="BigNAS",
        title="BigNAS: Scaling Up Neural Architecture Search with Big Single-Stage Models",
        authors=("Yu", "Jin", "Liu", "Bender", "Kindermans", "Tan", "Huang", "Song", "Pang", "Le"),
        venue="ECCV",
        year=2020,
        arxiv="2003.11142",
        provenance="reconstruction",
    ),
)

TINY: dict[str, Any] = {"stem_width": 8}


def mbconv(
    *,
    num_classes: int = 10,
    in_channels: int = 1,
    image_size: int = 8,
    stages: Sequence[Stage] | None = None,
    resolutions: Sequence[int] | None = None,
    stem_width: int = 16,
    stem_stride: int | None = None,
    head_width: int | None = None,
    squeeze_excite: bool = False,
    activation: Activation = "relu",
    statistics: Statistics = "calibrate",
    zero_gamma: bool = True,
) -> Supernet:
    """Elastic MBConv: resolution, and per stage depth and width, per block kernel and expansion (OFA, BigNAS).

    OFA: [arXiv 1908.09791](https://arxiv.org/abs/1908.09791); BigNAS:
    [arXiv 2003.11142](https://arxiv.org/abs/2003.11142).

    Choices are named `"resolution"`, `"stage1.depth"`, `"stage1.width"`, `"stage1.block1.kernel"`,
    `"stage1.block1.expansion"` …; those of a block matter only where the stage is deep enough. An axis with a
    single option is fixed and makes no choice. Weights start from PyTorch's default initialisation.

    Args:
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels. Sets the defaults of `stages`, `resolutions`,
            `stem_stride` and `head_width`.
        stages: What may vary, stage by stage; None: by `image_size`.
        resolutions: Sides in pixels to which the images are resized before the stem; they may exceed `image_size`.
            None: by it.
        stem_width: Width of the first convolution.
        stem_stride: Stride of the first convolution; None: 2 for images of 64 pixels and more, else 1.
        head_width: Width before the classifier; None: 128, 256 or 1280 by the size of the images.
        squeeze_excite: Whether every block gates its hidden channels by their means (ratio 1/4).
        activation: `"relu"`, `"hswish"` or `"swish"`.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.
        zero_gamma: Whether residual blocks start as the identity, their last BatchNorm at scale 0 (BigNAS).

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an option out of range, or a resolution too small for the strides.

    >>> net = mbconv(image_size=8)
    >>> net.space.arch(net.space.largest().options())["stage3.depth"]
    3
    """
    if head_width is None:
        head_width = 128 if image_size < 16 else 256 if image_size < 64 else 1280
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    check_at_least_one(stem_width=stem_width, head_width=head_width)
    check_statistics(statistics)
    if activation not in get_args(Activation):
        raise UsageError(f"The activation {activation!r} does not exist; use one of {get_args(Activation)}.")
    if stem_stride is None:
        stem_stride = 2 if image_size >= 64 else 1
    if stem_stride not in (1, 2):
        raise UsageError(f"The stride of the stem is {stem_stride!r}; use 1 or 2.")
    stages = default_stages(image_size) if stages is None else tuple(stages)
    if not stages:
        raise UsageError("mbconv was given no stages; give at least one Stage, or None for the default.")
    resolutions = default_resolutions(image_size) if resolutions is None else tuple(resolutions)
    _check_resolutions(resolutions, stem_stride * math.prod(stage.stride for stage in stages))
    dense = partial(conv_bn, norm=partial(ElasticBatchNorm2d, statistics=statistics), activation=activation)
    width: Expr | int = stem_width
    body: list[ElasticDepth] = []
    for number, stage in enumerate(stages, start=1):
        depth = axis(f"stage{number}.depth", stage.depths)
        width_out = axis(f"stage{number}.width", stage.widths)
        blocks = []
        for place in range(max(stage.depths)):
            when = depth > place if isinstance(depth, Expr) and place >= min(stage.depths) else None
            name = f"stage{number}.block{place + 1}"
            blocks.append(
                MBConv(
                    width if place == 0 else width_out,
                    width_out,
                    kernel=axis(f"{name}.kernel", stage.kernels, when),
                    expansion=axis(f"{name}.expansion", stage.expansions, when),
                    stride=stage.stride if place == 0 else 1,
                    residual=place > 0,
                    squeeze_excite=squeeze_excite,
                    activation=activation,
                    statistics=statistics,
                    zero_gamma=zero_gamma,
                )
            )
        body.append(ElasticDepth(depth, blocks))
        width = width_out
    net = MBConvNet(
        resize=ElasticResolution(axis("resolution", resolutions), native=image_size),
        stem=nn.Sequential(*dense(in_channels, stem_width, 3, stride=stem_stride)),
        stages=body,
        head=classifier(dense(width, head_width), head_width, num_classes),
    )
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


class MBConvNet(nn.Module):
    """Resize, stem, stages, head: (B, C_in, H, W) -> (B, K)."""

    def __init__(
        self, *, resize: ElasticResolution, stem: nn.Sequential, stages: Sequence[ElasticDepth], head: nn.Sequential
    ) -> None:
        super().__init__()
        self.resize, self.stem, self.stages, self.head = resize, stem, nn.Sequential(*stages), head

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.stages(self.stem(self.resize(x))))
        return out

    def diagram(self, arch: Arch) -> Diagram:
        """The chain of stem, blocks that run and head, with widths and spatial sizes."""

        value = partial(size_in, arch)
        stem, head = cast(ElasticConv2d, self.stem[0]), cast(ElasticConv2d, self.head[0])
        drawn = [Block("conv 3×3", value(stem.width_in), value(stem.width_out), stem.stride[0])]
        for stage in self.stages:
            for block in list(cast(ElasticDepth, stage))[: value(cast(ElasticDepth, stage).depth)]:
                if isinstance(block, Drawn):
                    drawn.append(block.drawn(value))
                    continue
                block = cast(MBConv, block)
                label = f"MB{value(block.expansion)} k{value(block.kernel)}"
                drawn.append(Block(label, value(block.width_in), value(block.width_out), block.stride))
        drawn.append(Block("conv 1×1", value(head.width_in), value(head.width_out)))
        return chain(drawn, size=value(self.resize.size))


def _check_resolutions(resolutions: tuple[int, ...], reduction: int) -> None:
    if not resolutions or len(set(resolutions)) != len(resolutions):
        raise UsageError(f"The resolutions are {resolutions}; give distinct sides in pixels, such as (20, 24, 28, 32).")
    for side in resolutions:
        check_whole("One of the resolutions", side)
    if min(resolutions) < reduction:
        raise UsageError(
            f"The smallest resolution is {min(resolutions)} pixels, but the strides of stem and stages reduce an image "
            f"{reduction} times. Use larger images, fewer stages of stride 2, or resolutions of at least {reduction}."
        )
