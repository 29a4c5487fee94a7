"""The chain of stages of Once-for-All's mobile networks, from a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, cast

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import ElasticConv2d, ElasticDepth, ElasticResolution, Statistics
from supernet.nn.diagram import Diagram
from supernet.space import Arch, Expr
from supernet.zoo.axes import axis, check_axes, size_in
from supernet.zoo.chains.inverted_residual import InvertedResidual
from supernet.zoo.drawing import Block, chain
from supernet.zoo.elastic.elastic_mbconv_block import MBConv
from supernet.zoo.elastic.elastic_mbconv_stage import default_resolutions
from supernet.zoo.layers import SqueezeExcite


@dataclass(frozen=True)
class OfaStage:
    """A stage of inverted residual blocks.

    Attributes:
        width: Output width at width multiplier 1.
        stride: Stride of its first block.
        activation: Activation of its blocks.
        gated: Whether its blocks gate their hidden channels.
        single: Whether it has one block always.
    """

    width: int
    stride: int
    activation: Literal["relu", "relu6", "hswish", "mish"]
    gated: bool = False
    single: bool = False


def ofa_stages(
    table: Sequence[OfaStage],
    width_in: int,
    widths: Sequence[int],
    strides: Sequence[int],
    *,
    depths: Sequence[int],
    kernels: Sequence[int],
    expansions: Sequence[int],
    transform: bool,
    statistics: Statistics,
    eps: float,
    choices: Callable[..., Any] = axis,
) -> list[ElasticDepth]:
    """The elastic stages; an axis of a single option is fixed and makes no choice.

    Args:
        table: The stages as published.
        width_in: Width of the block before them.
        widths: Their widths.
        strides: Their strides.
        depths: Numbers of blocks that a stage may have.
        kernels: Sides of the depthwise kernels, chosen per block.
        expansions: Ratios of hidden to input width, chosen per block.
        transform: Whether smaller kernels are made of larger ones by matrices.
        statistics: What BatchNorm uses outside training.
        eps: A small number that BatchNorm adds to the variance.
        choices: Makes the choice of an axis, such as `axis` or `SharedAxes()`.
    """
    gate = partial(SqueezeExcite, activation="relu", hard=True)
    made = []
    for number, (stage, width, stride) in enumerate(zip(table, widths, strides, strict=True), start=1):
        numbers = (1,) if stage.single else tuple(depths)
        depth = choices(f"stage{number}.depth", numbers)
        blocks = []
        for place in range(max(numbers)):
            when = depth > place if isinstance(depth, Expr) and place >= min(numbers) else None
            name = f"stage{number}.block{place + 1}"
            step = stride if place == 0 else 1
            blocks.append(
                MBConv(
                    width_in,
                    width,
                    kernel=choices(f"{name}.kernel", kernels, when),
                    expansion=choices(f"{name}.expansion", expansions, when),
                    stride=step,
                    residual=step == 1 and width_in == width,
                    squeeze_excite=stage.gated,
                    activation=stage.activation,
                    statistics=statistics,
                    zero_gamma=False,
                    transform=transform,
                    gate=gate,
                    eps=eps,
                )
            )
            width_in = width
        made.append(ElasticDepth(depth, blocks))
    return made


def ofa_resolutions(
    image_size: int, given: Sequence[int] | None, strides: Sequence[int], *, smallest: int = 128
) -> tuple[int, ...]:
    """The sides to which images are resized: those given, the published ones at 224 pixels, or some up to the image.

    Args:
        image_size: Side of the images in pixels.
        given: The sides; None: the default.
        strides: All strides of the network.
        smallest: The smallest published side; they go up to 224 in steps of 4.

    Raises:
        UsageError: sides that are no distinct whole numbers, or one that the strides reduce to nothing.
    """
    published = tuple(range(smallest, 225, 4)) if image_size == 224 else default_resolutions(image_size)
    sides = published if given is None else tuple(given)
    check_axes(resolutions=sides)
    if min(sides) < math.prod(strides):
        raise UsageError(
            f"The smallest resolution is {min(sides)} pixels, but the strides {tuple(strides)} reduce an image "
            f"{math.prod(strides)} times. Use larger images or resolutions, or turn some of the strides into 1."
        )
    return sides


class OfaChain(nn.Module):
    """Resize, stem, a fixed block, elastic stages, head: (B, C_in, H, W) -> (B, K)."""

    def __init__(
        self,
        *,
        resize: ElasticResolution,
        stem: Sequence[nn.Module],
        first: InvertedResidual,
        stages: Sequence[ElasticDepth],
        head: nn.Sequential,
    ) -> None:
        super().__init__()
        self.resize, self.stem, self.first = resize, nn.Sequential(*stem), first
        self.stages, self.head = nn.Sequential(*stages), head

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.stages(self.first(self.stem(self.resize(x)))))
        return out

    def diagram(self, arch: Arch) -> Diagram:
        """The chain of stem, blocks that run and head, with widths and spatial sizes."""
        stem, head = cast(ElasticConv2d, self.stem[0]), cast(ElasticConv2d, self.head[0])
        drawn = [
            Block("conv 3×3", stem.in_channels, stem.out_channels, stem.stride[0]),
            Block("MB1 k3", self.first.width_in, self.first.width_out, self.first.stride),
        ]
        for stage in self.stages:
            for block in list(cast(ElasticDepth, stage))[: size_in(arch, cast(ElasticDepth, stage).depth)]:
                block = cast(MBConv, block)
                label = f"MB{size_in(arch, block.expansion)} k{size_in(arch, block.kernel)}"
                drawn.append(Block(label, size_in(arch, block.width_in), size_in(arch, block.width_out), block.stride))
        drawn.append(Block("conv 1×1", head.in_channels, head.out_channels))
        return chain(drawn, size=size_in(arch, self.resize.size))
