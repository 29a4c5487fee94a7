"""The space of HR-NAS (Ding et al., CVPR 2021): channels and tokens of a network of parallel resolutions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from torch import nn

from supernet.errors import UsageError
from supernet.nn import Statistics, Supernet
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.zoo.arguments import check_at_least_one, check_dropout
from supernet.zoo.initialisation import fan_out_normal
from supernet.zoo.layers import conv_bn
from supernet.zoo.macro.hr_nas_network import Fusion, HRNet, HRStage, ImageHead, PixelHead
from supernet.zoo.macro.hr_nas_transformer import LightTransformer, initialise
from supernet.zoo.macro.hr_nas_unit import ACTIVATIONS, MixedUnit, Transformers, Units

PAPER = Paper(
    name="HR-NAS",
    title="HR-NAS: Searching Efficient High-Resolution Neural Architectures with Lightweight Transformers",
    authors=("Ding", "Lian", "Yang", "Wang", "Jin", "Lu", "Luo"),
    venue="CVPR",
    year=2021,
    arxiv="2106.06560",
    provenance="official code",
)

TINY: dict[str, Any] = {"variant": "tiny"}

Variant: TypeAlias = Literal["imagenet", "cityscapes", "ade20k", "coco", "tiny"]
Head: TypeAlias = Literal["images", "pixels"]
Initialisation: TypeAlias = Literal["released", "heatmaps", "torch"]

STAGES = (
    HRStage((1,), (24,)),
    HRStage((2, 2), (18, 36)),
    HRStage((2, 2, 3), (18, 36, 72)),
    HRStage((2, 2, 3, 4), (18, 36, 72, 144)),
    HRStage((2, 2, 3, 4), (18, 36, 72, 144)),
)
SMALL = (HRStage((1,), (6,)), HRStage((1, 1), (6, 12)))


class Preset(NamedTuple):
    """A published network, or a small one."""

    head: Head
    last: int
    stages: tuple[HRStage, ...] = STAGES
    head_widths: tuple[int, ...] = (36, 72, 144, 320)
    stem: int = 24
    stride: int = 4
    kernels: tuple[int, ...] = (3, 5, 7)
    tokens: int = 64
    grid: int = 8
    momentum: float = 0.01
    eps: float = 1e-3
    initialisation: Initialisation = "released"


PRESETS: dict[Variant, Preset] = {
    "imagenet": Preset("images", 1600),
    "cityscapes": Preset("pixels", 90),
    "ade20k": Preset("pixels", 180),
    "coco": Preset("pixels", 90, momentum=0.1, eps=1e-5, initialisation="heatmaps"),
    "tiny": Preset("images", 16, SMALL, (8, 16), stem=6, stride=1, kernels=(3, 5), tokens=6, grid=4, momentum=0.1),
}


def hr_nas(
    *,
    variant: Variant = "imagenet",
    head: Head | None = None,
    transformer: Transformers = "same",
    tokens: int | None = None,
    grid: int | None = None,
    kernels: Sequence[int] | None = None,
    expansion: float = 4,
    stages: Sequence[HRStage] | None = None,
    head_widths: Sequence[int] | None = None,
    last: int | None = None,
    width_multiplier: float = 1.0,
    stride: int | None = None,
    sizes: Mapping[str, int] | None = None,
    activation: str = "relu",
    dropout: float | None = None,
    transformer_dropout: float = 0.1,
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    statistics: Statistics = "track",
    initialisation: Initialisation | None = None,
) -> Supernet:
    """HR-NAS: branches of four resolutions, whose channels and tokens are what a training cuts; one architecture.

    Ding et al., CVPR 2021, [arXiv 2106.06560](https://arxiv.org/abs/2106.06560). The stages have 1, 2, 3, 4 and 4
    branches of the widths 18, 36, 72 and 144 with 2, 2, 3 and 4 units, and exchange between neighbours. A unit adds up
    its input, depthwise convolutions of the kernels 3, 5 and 7 on 4 C channels each, and a light-weight transformer of
    64 tokens. There is no choice: the architecture is what is left of the channels of each kernel and of the tokens
    after a training by `methods.hr_nas`. `net.module.sizes()` says it, and `sizes=` builds such a network anew.

    Args:
        variant: A published network, for `"imagenet"`, `"cityscapes"`, `"ade20k"` or keypoints (`"coco"`); or `"tiny"`,
            two branches of few channels. It says what is None below.
        head: Logits of `"images"`, or of `"pixels"` at 1 / `stride` of their resolution.
        transformer: The units that have a transformer: those that keep the shape (`"same"`, 44 of 67 for ImageNet),
            `"all"`, whose output it then also halves, or `"none"`, as released configurations have it.
        tokens: Tokens of a transformer.
        grid: Side of the map that it works on.
        kernels: Sides of the depthwise kernels.
        expansion: Channels per kernel and input channel.
        stages: Units and widths of the branches, stage by stage.
        head_widths: Widths of the branches in the head for images, one for each of the last stage.
        last: Width of the last features.
        width_multiplier: Factor on all widths, rounded to even numbers (not on those of `sizes`).
        stride: Stride of the stem: 1, 2 or 4.
        sizes: Channels of every kernel of every unit and tokens, by dimension, such as `{"stage1.branch0.0.k3": 12}`;
            what is not named is left out. None: all.
        activation: `"relu"`, or `"swish"`, with which the authors train what was found anew.
        dropout: Share of the features that is dropped before the classes of images; None: 0.2. Pixels have none.
        transformer_dropout: The same inside transformers.
        num_classes: Number of classes.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels, a multiple of the coarsest stride, 32 in published networks. Costs of
            channels refer to it.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.
        initialisation: `"released"`: convolutions normal with the variance 2 / (k² · C_out), or 2 / k² where they are
            depthwise, linear layers uniform in ±1 / √C_out; `"heatmaps"`: convolutions normal with deviation 0.001; or
            `"torch"`.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes), or (B, num_classes, H / stride, W / stride).

    Raises:
        UsageError: a size that cannot be, images that are too small or no multiple of the coarsest stride, stages
            whose branches do not fit together, an unknown word, or sizes of dimensions that there are not.

    >>> net = hr_nas(variant="tiny", image_size=8)
    >>> net.space.size, list(net.module.sizes().items())[:3]
    (1, [('stage1.to0from0.k3', 24), ('stage1.to0from0.k5', 24), ('stage1.to0from0.tokens', 6)])
    """
    preset = _preset(variant)
    changed: dict[str, Any] = {
        "head": head,
        "tokens": tokens,
        "grid": grid,
        "kernels": kernels,
        "stages": stages,
        "stride": stride,
    }
    changed |= {"head_widths": head_widths, "last": last, "initialisation": initialisation}
    preset = preset._replace(**{name: value for name, value in changed.items() if value is not None})
    _check_words(preset, transformer, activation)
    check_at_least_one(
        tokens=preset.tokens, grid=preset.grid, num_classes=num_classes, in_channels=in_channels, image_size=image_size
    )
    check_dropout(transformer_dropout)
    _check_sizes(sizes)
    check_statistics(statistics)
    if preset.head == "pixels" and dropout is not None:
        raise UsageError(f"dropout is {dropout}, but the head for pixels drops nothing; leave it out.")
    check_dropout(0.2 if dropout is None else dropout)
    preset = _scaled(preset, width_multiplier)
    _check_stages(preset, image_size)
    units = Units(
        kernels=tuple(preset.kernels),
        expansion=expansion,
        transformer=transformer,
        tokens=preset.tokens,
        grid=preset.grid,
        dropout=transformer_dropout,
        activation=activation,
        statistics=statistics,
        momentum=preset.momentum,
        eps=preset.eps,
        sizes=sizes,
    )
    net = _built(preset, units, 0.2 if dropout is None else dropout, num_classes, in_channels, image_size)
    _check_all_used(net, sizes)
    _initialise(net, preset.initialisation)
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


def _built(preset: Preset, units: Units, dropout: float, num_classes: int, in_channels: int, image_size: int) -> HRNet:
    def make(name: str, width_in: int, width_out: int, *, branch: int, stride: int) -> MixedUnit:
        side = image_size // preset.stride // 2**branch
        return MixedUnit(name, width_in, width_out, side=side, stride=stride, units=units)

    layer = partial(conv_bn, norm=units.norm, activation=units.activation)
    strides = (2 if preset.stride > 1 else 1, 2 if preset.stride > 2 else 1)
    stem = nn.Sequential(
        *layer(in_channels, preset.stem, 3, stride=strides[0]), *layer(preset.stem, preset.stem, 3, stride=strides[1])
    )
    befores = ((preset.stem,), *(stage.widths for stage in preset.stages))
    stages = [
        Fusion(f"stage{number}", before, stage, make, units.activation)
        for number, (before, stage) in enumerate(zip(befores, preset.stages, strict=False), start=1)
    ]
    if preset.head == "pixels":
        return HRNet(stem, stages, PixelHead(befores[-1], preset.last, make, num_classes=num_classes))
    images = ImageHead(
        befores[-1], preset.head_widths, preset.last, make, units, dropout=dropout, num_classes=num_classes
    )
    return HRNet(stem, stages, images)


def hr_nas_sizes(units: Sequence[Sequence[Any]], *, variant: Variant = "imagenet") -> dict[str, int]:
    """What `sizes=` takes, of a searched network in the authors' file (`checkpoint.json`), which has no tokens.

    Args:
        units: A list `[width, 1, stride, kernels, channels per kernel, True]` for every unit, in order.
        variant: The network that was searched.

    Raises:
        UsageError: there are others than the units of the variant.
    """
    net = hr_nas(variant=variant, transformer="none", image_size=32)
    assert isinstance(net.module, HRNet)
    names = {unit.name: (unit.width_out, unit.stride) for _, unit in net.module.units()}
    given = [(int(width), int(step)) for width, _, step, *_ in units]
    if given != list(names.values()):
        raise UsageError(
            f"The file has {len(given)} units, whose widths and strides are not those of the {len(names)} units of "
            f"variant={variant!r}. Name the variant that was searched."
        )
    return {
        f"{name}.k{kernel}": int(channels)
        for name, (*_, kernels, counts, _) in zip(names, units, strict=True)
        for kernel, channels in zip(kernels, counts, strict=True)
    }


def _preset(variant: str) -> Preset:
    found = next((preset for name, preset in PRESETS.items() if name == variant), None)
    if found is None:
        raise UsageError(f"The variant {variant!r} does not exist; use one of {', '.join(map(repr, PRESETS))}.")
    return found


def _check_words(preset: Preset, transformer: str, activation: str) -> None:
    for what, given, known in (
        ("head", preset.head, get_args(Head)),
        ("units with a transformer", transformer, get_args(Transformers)),
        ("activation", activation, tuple(ACTIVATIONS)),
        ("initialisation", preset.initialisation, get_args(Initialisation)),
        ("stride of the stem", preset.stride, (1, 2, 4)),
    ):
        if given not in known:
            raise UsageError(f"The {what}: {given!r} does not exist; use one of {', '.join(map(repr, known))}.")
    if not preset.kernels or any(kernel % 2 == 0 or kernel < 1 for kernel in preset.kernels):
        raise UsageError(f"The kernels are {tuple(preset.kernels)}; give odd sides of at least 1.")
    if len(set(preset.kernels)) < len(preset.kernels):
        raise UsageError(f"The kernels are {tuple(preset.kernels)}; give each once.")


def _check_stages(preset: Preset, image_size: int) -> None:
    if not preset.stages or any(
        len(stage.blocks) != len(stage.widths) or min((*stage.blocks, *stage.widths), default=0) < 1
        for stage in preset.stages
    ):
        raise UsageError(
            f"The stages are {tuple(map(tuple, preset.stages))}; give at least one, each with a number of units and a "
            "width of at least 1 for every branch: HRStage((2, 2), (18, 36))."
        )
    counts = [len(stage.widths) for stage in preset.stages]
    if any(after < before for before, after in itertools.pairwise(counts)):
        raise UsageError(f"The stages have {counts} branches, one after another; branches may be added, not left out.")
    if preset.head == "images" and len(preset.head_widths) != counts[-1]:
        raise UsageError(
            f"head_widths is {tuple(preset.head_widths)}, but the last stage has {counts[-1]} branches; give a width "
            "for each."
        )
    coarsest = preset.stride * 2 ** (counts[-1] - 1)
    if image_size < coarsest or image_size % coarsest:
        short = "too small for" if image_size < coarsest else "no multiple of the coarsest stride of"
        raise UsageError(
            f"Images of {image_size} pixels a side are {short} a network of {counts[-1]} branches behind a stem of "
            f"stride {preset.stride}, whose coarsest branch has one pixel for {coarsest}. Give a multiple of "
            f"{coarsest}, fewer branches, or a smaller stride."
        )


def _check_sizes(sizes: Mapping[str, int] | None) -> None:
    wrong = {name: size for name, size in (sizes or {}).items() if not isinstance(size, int) or size < 0}
    if wrong:
        name, size = next(iter(wrong.items()))
        raise UsageError(f"sizes has {name!r}: {size!r}; give whole numbers of at least 0.")


def _check_all_used(net: HRNet, sizes: Mapping[str, int] | None) -> None:
    unknown = {name for name, size in (sizes or {}).items() if size} - set(net.sizes())
    if unknown:
        raise UsageError(
            f"sizes has {min(unknown)!r}, but the network has no such channels or tokens. Give the variant, kernels "
            "and transformers that they belong to."
        )


def _scaled(preset: Preset, multiplier: float) -> Preset:
    if not 0 < multiplier < float("inf"):
        raise UsageError(f"The width multiplier is {multiplier!r}; give a number above 0, such as 0.5.")

    def width(of: int) -> int:
        return of if multiplier == 1 else max(2, round(of * multiplier / 2) * 2)

    return preset._replace(
        stages=tuple(HRStage(tuple(blocks), tuple(map(width, widths))) for blocks, widths in preset.stages),
        head_widths=tuple(map(width, preset.head_widths)),
        stem=width(preset.stem),
        last=width(preset.last),
    )


def _initialise(net: HRNet, how: Initialisation) -> None:
    if how == "torch":
        return
    if how == "released":
        fan_out_normal(net, depthwise_alone=True)
    for module in net.modules():
        if how == "heatmaps" and isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=0.001)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, LightTransformer):
            initialise(module)
