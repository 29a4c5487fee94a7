"""The space of AtomNAS (Mei et al., ICLR 2020): hidden channels of a chain, divided among kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, Literal, NamedTuple, TypeAlias

from torch import nn

from supernet.errors import UsageError
from supernet.nn import Statistics, Supernet
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.zoo.arguments import check_at_least_one, check_dropout
from supernet.zoo.chains.chain import places
from supernet.zoo.chains.inverted_residual import InvertedResidual
from supernet.zoo.initialisation import fan_out_normal
from supernet.zoo.layers import SqueezeExcite, classifier, conv_bn
from supernet.zoo.macro.atomnas_network import AtomBlock, AtomBlocks, AtomChain
from supernet.zoo.macro.hr_nas_unit import ACTIVATIONS
from supernet.zoo.scaling import scaled_depths, scaled_width, strides_for

PAPER = Paper(
    name="AtomNAS",
    title="AtomNAS: Fine-Grained End-to-End Neural Architecture Search",
    authors=("Mei", "Li", "Lian", "Jin", "Yang", "Yuille", "Yang"),
    venue="ICLR",
    year=2020,
    arxiv="1912.09640",
    provenance="official code",
)

TINY: dict[str, Any] = {"variant": "tiny"}

Variant: TypeAlias = Literal["a", "b", "c", "tiny"]


class Preset(NamedTuple):
    """A published network, or a small one."""

    stem: int = 32
    first: int = 16
    widths: tuple[int, ...] = (24, 40, 80, 96, 192, 320)
    depths: tuple[int, ...] = (4, 4, 4, 4, 4, 1)
    strides: tuple[int, ...] = (2, 1, 2, 2, 2, 1, 2, 1)
    kernels: tuple[int, ...] = (3, 5, 7)
    expansion: float = 6
    head: int = 1280
    momentum: float = 0.01
    eps: float = 1e-3


PRESETS: dict[Variant, Preset] = {
    "a": Preset(stem=16),
    "b": Preset(),
    "c": Preset(),
    "tiny": Preset(8, 8, (8, 16), (1, 2), (1, 1, 1, 2), (3, 5), 2, head=32, momentum=0.1),
}


def atomnas(
    *,
    variant: Variant = "c",
    sizes: Mapping[str, int] | None = None,
    squeeze_excite: bool = False,
    activation: str = "relu",
    kernels: Sequence[int] | None = None,
    expansion: float | None = None,
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    width_multiplier: float = 1.0,
    depth_multiplier: float | Sequence[float] = 1.0,
    strides: Sequence[int] | None = None,
    dropout: float = 0.2,
    statistics: Statistics = "track",
) -> Supernet:
    """AtomNAS: a chain of blocks whose hidden channels, divided among kernels, a training cuts; one architecture.

    Mei et al., ICLR 2020, [arXiv 1912.09640](https://arxiv.org/abs/1912.09640). The 21 blocks are MobileNetV2's, with
    6 C channels for each of the kernels 3, 5 and 7 instead of 6 C in all; a block without expansion comes first. There
    is no choice: the architecture is what is left of the channels of each kernel after a training by
    `methods.atomnas`. `net.module.sizes()`, and `sizes.json` of a run, say it, and `sizes=` builds such a network
    anew; `zoo.atomnas_sizes` has those that the authors found.

    AtomNAS+ is `atomnas(sizes=…, squeeze_excite=True, activation="swish", dropout=0.28)`, trained from scratch.

    Args:
        variant: `"a"`, whose stem has 16 channels, `"b"` or `"c"`, whose stems have 32 and which differ in the price of
            a training alone; or `"tiny"`, three blocks of the kernels 3 and 5 for small images.
        sizes: Channels of every kernel of every block, by dimension, such as `{"layer1.k3": 12}`; what is not named is
            left out. None: all.
        squeeze_excite: Whether the hidden channels of a block, the first included, are gated by all their means,
            through half as many as the block reads.
        activation: `"relu"` or `"swish"`.
        kernels: Sides of the depthwise kernels; None: the variant's.
        expansion: Channels per kernel and input channel; None: the variant's, 6 in published networks.
        num_classes: Number of classes.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels; sets the default of `strides`. Costs of channels refer to it.
        width_multiplier: Factor on all widths, rounded to multiples of 8 (not on those of `sizes`).
        depth_multiplier: Factor on the blocks of the stages, rounded up; one number or one per stage.
        strides: Strides of the stem, the first block and the first block of each stage. None: the published (2, 1, 2,
            2, 2, 1, 2, 1), of which the leading 2s become 1 until the last feature map has at least 4 × 4 pixels.
        dropout: Share of the features that is dropped before the classes.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: a size that cannot be, an unknown word, or sizes of dimensions that there are not, or that leave
            nothing of a block where the shape changes.

    >>> net = atomnas(variant="tiny", num_classes=10, image_size=8, in_channels=1)
    >>> net.space.size, list(net.module.sizes().items())[:3]
    (1, [('layer1.k3', 16), ('layer1.k5', 16), ('layer2.k3', 16)])
    """
    if variant not in PRESETS:
        raise UsageError(f"The variant {variant!r} does not exist; use one of {', '.join(map(repr, PRESETS))}.")
    if activation not in ACTIVATIONS:
        raise UsageError(
            f"The activation {activation!r} does not exist; use one of {', '.join(map(repr, ACTIVATIONS))}."
        )
    preset = PRESETS[variant]
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    check_dropout(dropout)
    check_statistics(statistics)
    blocks = AtomBlocks(
        kernels=_odd(preset.kernels if kernels is None else tuple(kernels)),
        expansion=_above_zero(preset.expansion if expansion is None else expansion),
        activation=activation,
        gated=squeeze_excite,
        statistics=statistics,
        momentum=preset.momentum,
        eps=preset.eps,
        sizes=_whole(sizes),
    )
    strides = strides_for(image_size, published=preset.strides, given=strides)
    stem, first, *widths, last = (
        scaled_width(width, width_multiplier) for width in (preset.stem, preset.first, *preset.widths, preset.head)
    )
    layer = partial(conv_bn, norm=blocks.norm, activation=activation)
    standing = list(places(first, widths, scaled_depths(preset.depths, depth_multiplier), strides[2:]))
    sides = list(
        accumulate((*strides[:2], *(place.stride for place in standing)), lambda s, t: -(-s // t), initial=image_size)
    )
    net = AtomChain(
        nn.Sequential(*layer(in_channels, stem, 3, stride=strides[0])),
        InvertedResidual(
            stem,
            first,
            expansion=1,
            kernel=3,
            stride=strides[1],
            norm=blocks.norm,
            activation=activation,
            gate=(lambda hidden: SqueezeExcite(hidden, activation, hard=False, reduced=round(stem / 2)))
            if squeeze_excite
            else None,
        ),
        [AtomBlock(place, side=side, blocks=blocks) for place, side in zip(standing, sides[2:-1], strict=True)],
        classifier(layer(widths[-1], last), last, num_classes, dropout=dropout),
    )
    _check_used(net, sizes)
    fan_out_normal(net, depthwise_alone=True)
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


def _odd(kernels: tuple[int, ...]) -> tuple[int, ...]:
    if not kernels or any(kernel % 2 == 0 or kernel < 1 for kernel in kernels) or len(set(kernels)) < len(kernels):
        raise UsageError(f"The kernels are {kernels}; give odd sides of at least 1, each once.")
    return kernels


def _above_zero(expansion: float) -> float:
    if not 0 < expansion < float("inf"):
        raise UsageError(f"The expansion is {expansion!r}; give a number above 0, such as 6.")
    return expansion


def _whole(sizes: Mapping[str, int] | None) -> Mapping[str, int] | None:
    for name, size in (sizes or {}).items():
        if not isinstance(size, int) or size < 0:
            raise UsageError(f"sizes has {name!r}: {size!r}; give whole numbers of at least 0.")
    return sizes


def _check_used(net: AtomChain, sizes: Mapping[str, int] | None) -> None:
    unknown = {name for name, size in (sizes or {}).items() if size} - set(net.sizes())
    if unknown:
        raise UsageError(
            f"sizes has {min(unknown)!r}, but the network has no such channels. Give the variant, the kernels and the "
            "depth that they belong to."
        )
    for _, block in net.layers():
        if not len(block.groups) and not block.residual:
            raise UsageError(
                f"Nothing is left of {block.name}, which takes {block.width_in} channels to {block.width_out} with the "
                f"stride {block.stride} and so cannot be left out. Give channels of at least one of its kernels, such "
                f"as {block.name}.k3."
            )
