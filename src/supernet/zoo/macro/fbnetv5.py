"""The space of FBNetV5 (Wu et al., arXiv 2021): paths of four resolutions whose blocks may be left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from torch import nn

from supernet.errors import UsageError
from supernet.nn import Statistics, Supernet, batch_norm
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.zoo.arguments import check_at_least_one, check_dropout
from supernet.zoo.chains.inverted_residual import InvertedResidual
from supernet.zoo.layers import Norm, conv_bn
from supernet.zoo.macro.fbnetv5_network import ImagesHead, MultiTaskNet, ParallelStage, PixelsHead, Resolution

PAPER = Paper(
    name="FBNetV5",
    title="FBNetV5: Neural Architecture Search for Multiple Tasks in One Run",
    authors=("Wu", "Li", "Zhang", "Dai", "Zhang", "Yu", "Wang", "Lin", "Vajda"),
    venue="arXiv",
    year=2021,
    arxiv="2111.10007",
    provenance="reconstruction",
)

TINY: dict[str, Any] = {"variant": "tiny"}

Variant: TypeAlias = Literal["a", "tiny"]
Form: TypeAlias = Literal["images", "pixels", "boxes"]


class Preset(NamedTuple):
    """A network: stem, paths, stages, and the hidden layers of the heads for images and for pixels."""

    stem: int
    first: int
    strides: tuple[int, int]
    paths: tuple[Resolution, ...]
    stages: int
    images: int
    pixels: int


PRESETS: dict[Variant, Preset] = {
    "a": Preset(
        stem=16,
        first=2,
        strides=(2, 2),
        paths=(
            Resolution(24, (4, 5), 2, 5, False, 1),
            Resolution(40, (5, 5), 3, 5, True, 1),
            Resolution(120, (5, 5), 3, 5, True, 3),
            Resolution(184, (6, 3), 4, 5, True, 2),
        ),
        stages=4,
        images=1984,
        pixels=256,
    ),
    "tiny": Preset(
        stem=8,
        first=0,
        strides=(1, 2),
        paths=(Resolution(12, (2, 3), 2, 3, False, 1), Resolution(16, (2, 3), 2, 3, False, 1)),
        stages=2,
        images=32,
        pixels=24,
    ),
}

_BOXES_PRIOR = 0.01  # how probable an object is at a place, at first


def fbnetv5(
    *,
    variant: Variant = "a",
    heads: Sequence[str] = (),
    stages: int | None = None,
    dropout: float = 0.2,
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    statistics: Statistics = "track",
) -> Supernet:
    """FBNetV5: four resolutions side by side, each block of which may be skipped and each exchange left out.

    Wu et al., 2021, [arXiv 2111.10007](https://arxiv.org/abs/2111.10007). A reconstruction: that the backbone of
    FBNetV3-A is widened to paths of 1/4, 1/8, 1/16 and 1/32 of the images, with exchanges between them, and that each
    block is in or out, is the paper's; no definition was released. Here each path has the width, kernel, expansion and
    gates of FBNetV3-A's blocks at its resolution, and over its four stages about as many blocks; an exchange to a
    coarser path is a depthwise convolution of stride 2 per level and a 1×1 convolution, to a finer one a 1×1
    convolution and the nearest pixel. There are 28 blocks and 48 exchanges: 2⁷⁶ architectures.

    Args:
        variant: `"a"`, that of FBNetV3-A; or `"tiny"`, two paths of 1/2 and 1/4 in two stages with 2⁸ architectures.
        heads: A head for each task, as `name=form:values`: its name in `tasks.Joint`, what it answers for, and how many
            values it returns (those of `num_classes` where they are left out). Forms are `images`, `pixels` (at the
            finest path's resolution), and `boxes`, pixels whose values are those of `tasks.Detection` (classes + 5).
            Empty: one head for images, whose logits are returned without a name.
        stages: Number of stages.
        dropout: Share of the features that is dropped before the values of images.
        num_classes: Number of classes.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels, a multiple of the coarsest stride.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes), or a mapping of what the heads return.

    Raises:
        UsageError: a size that cannot be, an unknown word, or a head that is no `name=form:values`.

    >>> net = fbnetv5(variant="tiny", heads=("kinds=images:10", "mask=pixels:11"), in_channels=1, image_size=16)
    >>> net.space.size, list(net.module.heads)
    (256, ['kinds', 'mask'])
    """
    if variant not in PRESETS:
        raise UsageError(f"The variant {variant!r} does not exist; use one of {', '.join(map(repr, PRESETS))}.")
    preset = PRESETS[variant]
    stages = preset.stages if stages is None else stages
    check_at_least_one(stages=stages, num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    check_dropout(dropout)
    check_statistics(statistics)
    coarsest = math.prod(preset.strides) * 2 ** (len(preset.paths) - 1)
    if image_size % coarsest:
        raise UsageError(
            f"Images of {image_size} pixels a side do not divide into the strides of the paths; give a multiple of "
            f"{coarsest}."
        )
    asked = [("", "images", num_classes)] if not heads else [_head(text, num_classes) for text in heads]
    if len({name for name, *_ in asked}) < len(asked):
        raise UsageError(f"heads={tuple(heads)!r} has a name twice; give each task one head.")
    norm = partial(batch_norm, statistics=statistics)
    made = {name or "logits": _made(form, values, preset, norm, dropout) for name, form, values in asked}
    return Supernet(
        MultiTaskNet(*_backbone(preset, stages, in_channels, norm), made, named=bool(heads)),
        input_shape=(in_channels, image_size, image_size),
    )


def _backbone(
    preset: Preset, stages: int, in_channels: int, norm: Norm
) -> tuple[nn.Module, list[nn.Module], list[ParallelStage]]:
    block = partial(InvertedResidual, norm=norm, activation="hswish")
    first = [block(preset.stem, preset.stem, expansion=1, kernel=3, stride=1) for _ in range(preset.first)]
    stem = nn.Sequential(
        *conv_bn(in_channels, preset.stem, 3, stride=preset.strides[0], norm=norm, activation="hswish"), *first
    )
    begins: list[nn.Module] = []
    width = preset.stem
    for path in preset.paths:
        expansion, kernel = path.begin
        stride = preset.strides[1] if not begins else 2
        begins.append(block(width, path.width, expansion=expansion, kernel=kernel, stride=stride, gated=path.gated))
        width = path.width
    return stem, begins, [ParallelStage(f"stage{s}", preset.paths, norm) for s in range(1, stages + 1)]


def _made(form: str, values: int, preset: Preset, norm: Norm, dropout: float) -> nn.Module:
    widths = [path.width for path in preset.paths]
    if form == "images":
        return ImagesHead(widths, preset.images, values, dropout)
    head = PixelsHead(widths, preset.pixels, values, norm)
    if form == "boxes":  # so that the focal loss of the many places without an object begins small
        nn.init.zeros_(head.values.bias)  # type: ignore[arg-type]
        nn.init.constant_(head.values.bias[:-5], -math.log((1 - _BOXES_PRIOR) / _BOXES_PRIOR))  # type: ignore[index]
    return head


def _head(text: str, num_classes: int) -> tuple[str, str, int]:
    name, separator, rest = text.partition("=") if isinstance(text, str) else ("", "", "")
    form, colon, values = rest.partition(":")
    known = get_args(Form)
    whole = not colon or (values.isdecimal() and int(values) > 0)
    if not separator or not name.isidentifier() or form not in known or not whole:
        raise UsageError(
            f"The head {text!r} is no name=form:values, such as 'mask=pixels:11'; forms are {', '.join(known)}."
        )
    if form == "boxes" and (int(values) if colon else num_classes) < 6:
        raise UsageError(f"The head {text!r} returns boxes; give it the number of classes + 5 values, 6 or more.")
    return name, form, int(values) if colon else num_classes
