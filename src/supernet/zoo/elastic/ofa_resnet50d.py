"""Once-for-All's space on ResNet-50-D (Cai et al., ICLR 2020)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, cast

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import (
    ElasticBatchNorm2d,
    ElasticConv2d,
    ElasticDepth,
    ElasticLinear,
    ElasticResolution,
    Statistics,
    Supernet,
)
from supernet.nn.diagram import Diagram
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch, Expr, round_to
from supernet.zoo.arguments import check_at_least_one, check_dropout
from supernet.zoo.axes import axis, size_in
from supernet.zoo.drawing import Block, chain
from supernet.zoo.elastic.ofa_chain import ofa_resolutions
from supernet.zoo.initialisation import fan_out_normal
from supernet.zoo.layers import Norm, conv_bn
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

STEM, WIDTHS, DEPTHS, STRIDES = 64, (256, 512, 1024, 2048), (2, 2, 4, 2), (2, 2, 1, 2, 2, 2)

TINY: dict[str, Any] = {"width_multiplier": 0.125, "base_depths": (1, 1, 1, 1), "further": (0, 1)}
"""Options of a network for images of 28 to 64 pixels that trains on a CPU."""


def ofa_resnet50d(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    width_multiplier: float = 1.0,
    widths: Sequence[float] = (0.65, 0.8, 1.0),
    base_depths: Sequence[int] = DEPTHS,
    further: Sequence[int] = (0, 1, 2),
    expansions: Sequence[float] = (0.2, 0.25, 0.35),
    resolutions: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    dropout: float = 0.0,
    statistics: Statistics = "calibrate",
) -> Supernet:
    """OFA-ResNet50D: width and depth per stage, expansion per block; 1.6 · 10¹² networks per resolution.

    Cai et al., ICLR 2020, [arXiv 1908.09791](https://arxiv.org/abs/1908.09791); the space is that of the released code.

    Choices are `"resolution"`; `"stem.depth"`, whether the stem's residual convolution runs; `"stem.inner.width"` and
    `"stem.width"`; and per stage `"stage1.width"`, `"stage1.depth"` and `"stage1.block1.expansion"` …, the ratio of the
    inner width of a bottleneck to the width of the stage. The options of widths are channels. Of 64 channels two of the
    three multipliers give the inner stem one width, 24, which is one option here.

    Args:
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels.
        width_multiplier: Factor on all widths, beside those to choose from.
        widths: Factors on the width of the stem and of each stage.
        base_depths: Numbers of blocks that the four stages have at least.
        further: Numbers of blocks that each may have beyond that.
        expansions: Ratios of inner width to width.
        resolutions: Sides in pixels to which the images are resized; None: 128, 132 … 224 at 224 pixels, else some from
            5/8 of the image to the image itself.
        strides: Strides of the stem, its pooling and the four stages; None: (2, 2, 1, 2, 2, 2), of which as many are 1
            as small images need.
        dropout: Probability with which features are dropped before the classifier.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an option out of range, or a resolution too small for the strides.

    >>> net = ofa_resnet50d(image_size=28, resolutions=(28,))
    >>> net.space.size == 2 * 2 * 3 * 3**4 * (9 + 27 + 81) ** 3 * (81 + 243 + 729)
    True
    """
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    check_statistics(statistics)
    check_dropout(dropout)
    _check(widths, expansions, base_depths, further)
    strides = strides_for(image_size, published=STRIDES, given=strides)
    sides = ofa_resolutions(image_size, resolutions, strides)
    stems = [scaled_width(STEM, factor * width_multiplier) for factor in widths]
    norm = partial(ElasticBatchNorm2d, statistics=statistics)
    inner = _width("stem.inner.width", [round_to(width // 2, 8) for width in stems])
    width = _width("stem.width", stems)
    stem = [
        *conv_bn(in_channels, inner, 3, stride=strides[0], norm=norm, activation="relu"),
        ElasticDepth(axis("stem.depth", (0, 1) if len(further) > 1 else (1,)), [_Residual(inner, norm)]),
        *conv_bn(inner, width, 3, norm=norm, activation="relu"),
        nn.MaxPool2d(3, strides[1], padding=1),
    ]
    stages = []
    for number, (base, least, stride) in enumerate(zip(WIDTHS, base_depths, strides[2:], strict=True), start=1):
        name = f"stage{number}"
        width_out = _width(f"{name}.width", [scaled_width(base, factor * width_multiplier) for factor in widths])
        numbers = [least + more for more in sorted(further)]
        depth = axis(f"{name}.depth", numbers)
        blocks = []
        for place in range(max(numbers)):
            when = depth > place if isinstance(depth, Expr) and place >= min(numbers) else None
            expansion = axis(f"{name}.block{place + 1}.expansion", expansions, when)
            step = stride if place == 0 else 1
            blocks.append(Bottleneck(width if place == 0 else width_out, width_out, expansion, stride=step, norm=norm))
        stages.append(ElasticDepth(depth, blocks))
        width = width_out
    net = OfaResNet(
        resize=ElasticResolution(axis("resolution", sides), native=image_size),
        stem=stem,
        stages=stages,
        head=nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), ElasticLinear(width, num_classes)
        ),
    )
    fan_out_normal(net, by="inputs")
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


class _Residual(nn.Module):
    """x + conv(x), a convolution of 3 × 3 with BatchNorm and ReLU: (B, c, H, W) -> (B, c, H, W)."""

    def __init__(self, width: Expr | int, norm: Norm) -> None:
        super().__init__()
        self.body = nn.Sequential(*conv_bn(width, width, 3, norm=norm, activation="relu"))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return out + x


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3 with the stride, 1 × 1, and a shortcut: (B, c_in, H, W) -> (B, c_out, ⌈H/s⌉, ⌈W/s⌉).

    Where it is the first of its stage (widths differ), the shortcut is average pooling and a 1 × 1 convolution
    (ResNet-D). The inner width is c_out × expansion, rounded to a multiple of 8.

    Args:
        width_in: Input width c_in.
        width_out: Output width c_out; the same object as `width_in` inside a stage.
        expansion: Ratio of inner to output width.
        stride: Stride s.
        norm: Maker of BatchNorms.
    """

    def __init__(
        self, width_in: Expr | int, width_out: Expr | int, expansion: Expr | float, *, stride: int, norm: Norm
    ) -> None:
        super().__init__()
        self.width_in, self.width_out, self.expansion, self.stride = width_in, width_out, expansion, stride
        self.inner = _inner(width_out, expansion), _inner(width_out, expansion)  # two dimensions of one width
        first, second = self.inner
        self.body = nn.Sequential(
            *conv_bn(width_in, first, norm=norm, activation="relu"),
            *conv_bn(first, second, 3, stride=stride, norm=norm, activation="relu"),
            *conv_bn(second, width_out, norm=norm),
        )
        pooled = [nn.AvgPool2d(stride, ceil_mode=True)] if stride > 1 else []
        shortcut = [*pooled, *conv_bn(width_in, width_out, norm=norm)]
        self.shortcut = nn.Identity() if width_in is width_out and stride == 1 else nn.Sequential(*shortcut)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.body(x) + self.shortcut(x))
        return out

    def inner_channels(self) -> Iterator[tuple[Expr | int, nn.Module]]:
        """The two inner widths, read by the second and the third convolution."""
        yield self.inner[1], self.body[6]
        yield self.inner[0], self.body[3]


class OfaResNet(nn.Module):
    """Resize, stem, elastic stages, head: (B, C_in, H, W) -> (B, K)."""

    def __init__(
        self,
        *,
        resize: ElasticResolution,
        stem: Sequence[nn.Module],
        stages: Sequence[ElasticDepth],
        head: nn.Sequential,
    ) -> None:
        super().__init__()
        self.resize, self.stem, self.stages, self.head = resize, nn.Sequential(*stem), nn.Sequential(*stages), head

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.stages(self.stem(self.resize(x))))
        return out

    def diagram(self, arch: Arch) -> Diagram:
        """The chain of stem and bottlenecks that run, with widths and spatial sizes."""
        first, last, pool = (cast(Any, self.stem[place]) for place in (0, 4, 7))
        inner = size_in(arch, first.width_out)
        drawn = [Block("conv 3×3", first.in_channels, inner, first.stride[0])]
        if size_in(arch, cast(ElasticDepth, self.stem[3]).depth):
            drawn.append(Block("conv 3×3", inner, inner))
        width = size_in(arch, cast(ElasticConv2d, last).width_out)
        drawn += [Block("conv 3×3", inner, width), Block("max pool 3×3", width, width, pool.stride)]
        for stage in self.stages:
            for block in list(cast(ElasticDepth, stage))[: size_in(arch, cast(ElasticDepth, stage).depth)]:
                block = cast(Bottleneck, block)
                label = f"bottleneck {size_in(arch, block.inner[0])}"
                drawn.append(Block(label, size_in(arch, block.width_in), size_in(arch, block.width_out), block.stride))
        return chain(drawn, size=size_in(arch, self.resize.size))


def _inner(width: Expr | int, expansion: Expr | float) -> Expr | int:
    size: Any = cast(Any, width) * expansion
    rounded: Expr | int = round_to(size.map(round, name="round") if isinstance(size, Expr) else round(size), 8)
    return rounded


def _width(name: str, options: Sequence[int]) -> Any:
    return axis(name, tuple(sorted(set(options))))


def _check(
    widths: Sequence[float], expansions: Sequence[float], base_depths: Sequence[int], further: Sequence[int]
) -> None:
    for name, factors in (("widths", widths), ("expansions", expansions)):
        if not factors or len(set(factors)) < len(factors) or not all(factor > 0 for factor in factors):
            raise UsageError(f"The {name} are {tuple(factors)}; give at least one factor above 0, each once.")
    if len(base_depths) != len(WIDTHS) or not all(isinstance(depth, int) and depth >= 1 for depth in base_depths):
        raise UsageError(f"The base depths are {tuple(base_depths)}; give a whole number of 1 or more for 4 stages.")
    if not further or len(set(further)) < len(further) or not all(isinstance(m, int) and m >= 0 for m in further):
        raise UsageError(f"The further blocks are {tuple(further)}; give whole numbers of 0 or more, each once.")
