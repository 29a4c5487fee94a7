"""The space of DATA: ResNets of elastic width and depth (Chang et al., CVPR 2022; GAIA, Bu et al., CVPR 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import ElasticBatchNorm2d, ElasticConv2d, ElasticDepth, ElasticLinear, Statistics, Supernet
from supernet.nn.diagram import Diagram
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch, Expr
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.axes import axis, size_in
from supernet.zoo.drawing import Block, chain
from supernet.zoo.layers import Norm, conv_bn
from supernet.zoo.scaling import scaled_width, strides_for

PAPER = Paper(
    name="DATA",
    title="DATA: Domain-Aware and Task-Aware Self-supervised Learning",
    authors=("Chang", "Peng", "Xie", "Sun", "Yin", "Tian", "Zhang"),
    venue="CVPR",
    year=2022,
    arxiv="2203.09041",
    provenance="official code",
)

STEMS = (32, 48, 64)
WIDTHS = ((48, 64, 80), (96, 128, 160), (192, 256, 320), (384, 512, 640))
DEPTHS = ((2, 3, 4), (2, 4, 6), tuple(range(5, 30, 2)), (2, 3, 4))
STRIDES = (2, 2, 1, 2, 2, 2)
EXPANSION = 4

TINY: dict[str, Any] = {"width_multiplier": 0.125, "depths": ((1, 2), (1, 2), (1, 2), (1, 2))}
"""Options of a network for small images that trains on a CPU."""


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3 with the stride, 1 × 1, and a way around: (B, c_in, H, W) -> (B, 4 c, ⌈H/s⌉, ⌈W/s⌉).

    Args:
        width_in: Input width c_in.
        width: Inner width c.
        width_out: Output width 4 c; the same object as `width_in` inside a stage.
        stride: Stride s.
        norm: Makes the BatchNorm of a width.
    """

    def __init__(
        self, width_in: Expr | int, width: Expr | int, width_out: Expr | int, *, stride: int, norm: Norm
    ) -> None:
        super().__init__()
        self.width_in, self.width, self.width_out, self.stride = width_in, width, width_out, stride
        self.body = nn.Sequential(
            *conv_bn(width_in, width, norm=norm, activation="relu"),
            *conv_bn(width, width, 3, stride=stride, norm=norm, activation="relu"),
            *conv_bn(width, width_out, norm=norm),
        )
        same = width_in is width_out and stride == 1
        around = nn.Identity() if same else nn.Sequential(*conv_bn(width_in, width_out, stride=stride, norm=norm))
        self.shortcut = around
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.body(x) + self.shortcut(x))
        return out


class DynamicResNet(nn.Module):
    """Stem, stages and a linear classifier on the means of the last features: (B, C, H, W) -> (B, K)."""

    def __init__(self, stem: nn.Sequential, stages: Sequence[ElasticDepth], head: nn.Sequential) -> None:
        super().__init__()
        self.stem, self.stages, self.head = stem, nn.Sequential(*stages), head

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.stages(self.stem(x)))
        return out

    def diagram(self, arch: Arch) -> Diagram:
        """The chain of stem and bottlenecks that run, with widths and spatial sizes."""
        first, pool = cast(Any, self.stem[0]), cast(Any, self.stem[3])
        width = size_in(arch, cast(ElasticConv2d, first).width_out)
        drawn = [Block("conv 7×7", first.in_channels, width, first.stride[0])]
        drawn.append(Block("max pool 3×3", width, width, pool.stride))
        for stage in self.stages:
            for block in list(cast(ElasticDepth, stage))[: size_in(arch, cast(ElasticDepth, stage).depth)]:
                block = cast(Bottleneck, block)
                label = f"bottleneck {size_in(arch, block.width)}"
                drawn.append(Block(label, size_in(arch, block.width_in), size_in(arch, block.width_out), block.stride))
        return chain(drawn, size=self.side)

    side: int = 224


def dynamic_resnet(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    width_multiplier: float = 1.0,
    stems: Sequence[int] = STEMS,
    widths: Sequence[Sequence[int]] = WIDTHS,
    depths: Sequence[Sequence[int]] = DEPTHS,
    strides: Sequence[int] | None = None,
    zero_gamma: bool = True,
    statistics: Statistics = "calibrate",
) -> Supernet:
    """DATA's DynamicResNet, from below ResNet-50 to beyond ResNet-101: a width and a depth per stage; 85,293 networks.

    Chang et al., CVPR 2022, [arXiv 2203.09041](https://arxiv.org/abs/2203.09041); the space is that of the released
    code (`ar50to101v2`). Choices are `"stem.width"`, and `"stage1.width"`, `"stage1.depth"` … `"stage4.depth"`; a
    width is that inside the bottlenecks of the stage, which return four times as many channels. The classifier is for
    what comes after the training without labels.

    Args:
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels.
        width_multiplier: Factor on all widths, rounded to multiples of 8; options that become equal are one.
        stems: Widths of the stem.
        widths: Widths of each of four stages.
        depths: Numbers of blocks of each.
        strides: Strides of the stem, its pooling and the four stages; None: (2, 2, 1, 2, 2, 2), of which as many are 1
            as small images need.
        zero_gamma: Whether every block begins as its way around, the last scale of its body at 0.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an option out of range.

    >>> dynamic_resnet().space.size == 3 * 3**4 * 3 * 3 * 13 * 3 == 85_293
    True
    """
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    check_statistics(statistics)
    _check(stems=(stems,), widths=widths, depths=depths)
    strides = strides_for(image_size, published=STRIDES, given=strides)
    norm = partial(ElasticBatchNorm2d, statistics=statistics)
    width: Any = _width("stem.width", stems, width_multiplier)
    stem = nn.Sequential(
        *conv_bn(in_channels, width, 7, stride=strides[0], norm=norm, activation="relu"),
        nn.MaxPool2d(3, strides[1], padding=1),
    )
    stages = []
    for number, (options, numbers, stride) in enumerate(zip(widths, depths, strides[2:], strict=True), start=1):
        inner = _width(f"stage{number}.width", options, width_multiplier)
        width_out = inner * EXPANSION
        depth = axis(f"stage{number}.depth", tuple(sorted(numbers)))
        blocks = [
            Bottleneck(width_out if place else width, inner, width_out, stride=1 if place else stride, norm=norm)
            for place in range(max(numbers))
        ]
        stages.append(ElasticDepth(depth, blocks))
        width = width_out
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), ElasticLinear(width, num_classes))
    net = DynamicResNet(stem, stages, head)
    net.side = image_size
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(layer, Bottleneck) and zero_gamma:
            nn.init.zeros_(layer.body[-1].get_parameter("weight"))
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


def _width(name: str, options: Sequence[int], multiplier: float) -> Any:
    return axis(name, tuple(sorted({scaled_width(option, multiplier) for option in options})))


def _check(**options: Sequence[Sequence[int]]) -> None:
    for name, stages in options.items():
        if name != "stems" and len(stages) != len(WIDTHS):
            raise UsageError(f"The {name} are {tuple(stages)}; give options for each of {len(WIDTHS)} stages.")
        for numbers in stages:
            whole = all(isinstance(number, int) and number >= 1 for number in numbers)
            if not numbers or not whole or len(set(numbers)) < len(numbers):
                raise UsageError(f"{name} of {tuple(numbers)}: give whole numbers of 1 or more, each once.")
