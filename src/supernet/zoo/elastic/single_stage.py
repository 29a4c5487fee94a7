"""What the single-stage models BigNAS, AttentiveNAS and NASViT share: stages whose blocks decide together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias, cast

from torch import nn

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
from supernet.nn.norm import check_statistics
from supernet.space import Arch, Expr, Option, Space
from supernet.zoo.arguments import check_at_least_one, check_dropout, check_whole
from supernet.zoo.axes import axis
from supernet.zoo.elastic.elastic_mbconv import MBConvNet
from supernet.zoo.elastic.shortcut_mbconv import ShortcutMBConv
from supernet.zoo.layers import activation_layer, conv_bn
from supernet.zoo.scaling import scaled_depths, scaled_width, strides_for

PUBLISHED_SIDE = 224
"""The side of the images of ImageNet, in pixels; resolutions are above and below it."""

DROPPED_STAGES = 2
"""The stages, counted from the end, whose blocks an image may go without."""

Later: TypeAlias = Callable[[Expr | int, Expr | int, Expr | int], nn.Module]
"""What makes a later block of a stage, from the width and the depth of the stage and the side of its maps."""

Config: TypeAlias = Mapping[str, int | Sequence[int]]
"""An architecture as the authors' code writes it: the resolution, and lists with an entry per stage."""


@dataclass(frozen=True, kw_only=True)
class SharedStage:
    """A stage whose blocks all have one width, one kernel and one expansion.

    Attributes:
        widths: Output widths to choose from.
        depths: Numbers of blocks to choose from.
        kernels: Sides of the depthwise kernels to choose from.
        expansions: Ratios of hidden to input width to choose from.
        stride: Stride of the first block.
        squeeze_excite: Whether blocks gate their hidden channels.
        hybrid: Whether the blocks after the first are others, such as transformer layers.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    kernels: tuple[int, ...] = (3, 5)
    expansions: tuple[int, ...] = (6,)
    stride: int = 1
    squeeze_excite: bool = True
    hybrid: bool = False


@dataclass(frozen=True, kw_only=True)
class SingleStage:
    """A published space of one supernet that needs no further training.

    Attributes:
        stem: Widths of the first convolution, of stride 2.
        stages: The stages.
        head: Widths before the classifier.
        resolutions: Sides in pixels to which images of `PUBLISHED_SIDE` are resized, itself among them.
        pooled_head: Whether six times the last width is pooled before the last convolution, which then has no norm
            (MBPool); otherwise the last convolution is, with its norm.
    """

    stem: tuple[int, ...]
    stages: tuple[SharedStage, ...]
    head: tuple[int, ...]
    resolutions: tuple[int, ...]
    pooled_head: bool

    @property
    def strides(self) -> tuple[int, ...]:
        """Strides of the stem and of the first block of each stage."""
        return (2, *(stage.stride for stage in self.stages))

    def scaled(self, width: float, depth: float) -> SingleStage:
        """The same with all widths and depths multiplied and rounded; options that become equal are one."""

        def widths(options: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(sorted({scaled_width(option, width) for option in options}))

        stages = tuple(
            replace(s, widths=widths(s.widths), depths=tuple(sorted(set(scaled_depths(s.depths, depth)))))
            for s in self.stages
        )
        return replace(self, stem=widths(self.stem), stages=stages, head=widths(self.head))

    def sides(self, image_size: int) -> tuple[int, ...]:
        """Resolutions for images of this side: the side, and the published ones as shares of 224 pixels, even."""
        others = {side / PUBLISHED_SIDE for side in self.resolutions} - {1.0}
        return tuple(sorted({image_size, *(2 * round(image_size * share / 2) for share in others)} - {0}))


def single_stage_net(
    space: SingleStage,
    *,
    num_classes: int,
    in_channels: int,
    image_size: int,
    width_multiplier: float,
    depth_multiplier: float,
    strides: Sequence[int] | None,
    resolutions: Sequence[int] | None,
    dropout: float,
    statistics: Statistics,
    zero_gamma: bool,
    later: Later | None = None,
) -> Supernet:
    """The supernet of a single-stage space; the options are those of `zoo.attentivenas`.

    Args:
        later: What makes the blocks after the first of hybrid stages; None: there are no such stages.

    Raises:
        UsageError: an option out of range.
    """
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    check_statistics(statistics)
    check_dropout(dropout)
    scaled = space.scaled(width_multiplier, depth_multiplier)
    strides = strides_for(image_size, published=space.strides, given=strides)
    sides = space.sides(image_size) if resolutions is None else tuple(resolutions)
    _check_resolutions(sides, math.prod(strides))
    norm = partial(ElasticBatchNorm2d, statistics=statistics)
    resolution = axis("resolution", sides)
    stem_width, head_width = axis("stem.width", scaled.stem), axis("head.width", scaled.head)
    width, body, before, blocks = stem_width, [], 0, sum(max(stage.depths) for stage in scaled.stages)
    for number, (stage, stride) in enumerate(zip(scaled.stages, strides[1:], strict=True), start=1):
        width_out = axis(f"stage{number}.width", stage.widths)
        depth = axis(f"stage{number}.depth", stage.depths)
        dropped = number > len(scaled.stages) - DROPPED_STAGES
        made = partial(
            ShortcutMBConv,
            kernel=axis(f"stage{number}.kernel", stage.kernels),
            expansion=axis(f"stage{number}.expansion", stage.expansions),
            squeeze_excite=stage.squeeze_excite,
            statistics=statistics,
            zero_gamma=zero_gamma,
        )
        first = made(width, width_out, stride=stride, drop_path=0)
        reduction = math.prod(strides[: number + 1])
        side = cast(Any, resolution + reduction - 1) // reduction
        further = [
            later(width_out, depth, side)
            if stage.hybrid and later is not None
            else made(width_out, width_out, stride=1, drop_path=(before + place) / blocks if dropped else 0)
            for place in range(1, max(stage.depths))
        ]
        body.append(ElasticDepth(depth, [first, *further]))
        width, before = width_out, before + max(stage.depths)
    net = MBConvNet(
        resize=ElasticResolution(resolution, mode="bicubic", native=image_size),
        stem=nn.Sequential(*conv_bn(in_channels, stem_width, 3, stride=strides[0], norm=norm, activation="swish")),
        stages=body,
        head=nn.Sequential(
            *_head(width, head_width, norm=norm, pooled=space.pooled_head),
            nn.Flatten(),
            nn.Dropout(dropout),
            ElasticLinear(head_width, num_classes),
        ),
    )
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


def arch_of(space: Space, config: Config, published: SingleStage) -> Arch:
    """The architecture that the authors' code writes as this configuration.

    Raises:
        UsageError: another space, an entry too many or too few, or an option that there is not.
    """
    axes, given = _axes(published), {key: _listed(value) for key, value in config.items()}
    if {key: len(values) for key, values in given.items()} != {key: len(names) for key, names in axes.items()}:
        lists = ", ".join(f"{key} of {len(names)}" for key, names in axes.items() if key != "resolution")
        raise UsageError(f"An architecture was given as {dict(config)}. Give a resolution, and the lists {lists}.")
    found: dict[str, Option] = {}
    for key, names in axes.items():
        for (name, options), value in zip(names, given[key], strict=True):
            if name in space.names:
                found[name] = value
            elif options != (value,):
                raise UsageError(
                    f"The architecture has {name}={value}, and this space no choice of that name. Take a space of the "
                    f"published size, and one of the published options, {options}."
                )
    return space.arch(found)


def config_of(arch: Arch, published: SingleStage) -> dict[str, Any]:
    """An architecture as the authors' code writes it, the reverse of `arch_of`.

    Raises:
        UsageError: the architecture is of another space.
    """
    found = {
        key: [arch[name] if name in arch.space.names else options[0] for name, options in names]
        for key, names in _axes(published).items()
    }
    config = {**found, "resolution": found["resolution"][0]}
    if arch_of(arch.space, cast(Any, config), published) != arch:
        raise UsageError(f"{arch} is of another space, so that it cannot be written like the published ones.")
    return config


def _axes(published: SingleStage) -> dict[str, list[tuple[str, tuple[int, ...]]]]:
    """By the key of a configuration the names of the choices that its entries decide, with their published options."""
    stages = [(f"stage{number}", stage) for number, stage in enumerate(published.stages, start=1)]
    inner = [(f"{name}.width", stage.widths) for name, stage in stages]
    return {
        "resolution": [("resolution", published.resolutions)],
        "width": [("stem.width", published.stem), *inner, ("head.width", published.head)],
        "kernel_size": [(f"{name}.kernel", stage.kernels) for name, stage in stages],
        "expand_ratio": [(f"{name}.expansion", stage.expansions) for name, stage in stages],
        "depth": [(f"{name}.depth", stage.depths) for name, stage in stages],
    }


def _listed(value: int | Sequence[int]) -> list[int]:
    return list(value) if isinstance(value, Sequence) else [value]


def _head(width: Expr | int, head: Expr | int, *, norm: Any, pooled: bool) -> list[nn.Module]:
    if not pooled:
        return [*conv_bn(width, head, norm=norm, activation="swish"), nn.AdaptiveAvgPool2d(1)]
    wide = cast(Any, width) * 6
    mixed = ElasticConv2d(wide, head, 1, bias=False)
    expand = conv_bn(width, wide, norm=norm, activation="swish")
    return [*expand, nn.AdaptiveAvgPool2d(1), mixed, activation_layer("swish")]


def _check_resolutions(sides: tuple[int, ...], reduction: int) -> None:
    if not sides or len(set(sides)) != len(sides):
        raise UsageError(f"The resolutions are {sides}; give distinct sides in pixels, such as (24, 28, 32, 36).")
    for side in sides:
        check_whole("One of the resolutions", side)
    if min(sides) < reduction:
        raise UsageError(
            f"The smallest resolution is {min(sides)} pixels, but the strides reduce an image {reduction} times. Turn "
            "some of the strides into 1, or use larger resolutions."
        )
