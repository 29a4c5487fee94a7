"""The ShuffleNetV2 space of SPOS (Guo et al., ECCV 2020): twenty layers of four blocks; 4²⁰ architectures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Literal, TypeAlias, get_args

from torch import nn

from supernet.errors import UsageError
from supernet.nn import OpChoice, Statistics, Supernet, batch_norm
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch, Choice, Expr, Space
from supernet.zoo.arguments import check_at_least_one, check_dropout
from supernet.zoo.chains.chain import Chain, Place, foreign, places
from supernet.zoo.chains.shufflenetv2_block import ShuffleBlock
from supernet.zoo.layers import classifier, conv_bn
from supernet.zoo.scaling import scaled_depths, scaled_width, strides_for

KERNELS: dict[str, int | None] = {"k3": 3, "k5": 5, "k7": 7, "xception": None}
BLOCKS = tuple(KERNELS)
SCALES = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6)
WIDTHS, DEPTHS, STRIDES = (64, 160, 320, 640), (4, 4, 8, 4), (2, 2, 2, 2, 2)
STEM_WIDTH, HEAD_WIDTH = 16, 1024
_LABELS = {"k3": "shuffle k3", "k5": "shuffle k5", "k7": "shuffle k7", "xception": "Xception"}

Initialisation: TypeAlias = Literal["released", "torch"]


PAPER = Paper(
    name="SPOS",
    title="Single Path One-Shot Neural Architecture Search with Uniform Sampling",
    authors=("Guo", "Zhang", "Mu", "Heng", "Liu", "Wei", "Sun"),
    venue="ECCV",
    year=2020,
    arxiv="1904.00420",
    provenance="official code",
)

TINY: dict[str, Any] = {"width_multiplier": 0.25, "depth_multiplier": 0.4}


def shufflenetv2_spos(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    width_multiplier: float = 1.0,
    depth_multiplier: float | Sequence[float] = 1.0,
    strides: Sequence[int] | None = None,
    head_width: int | None = None,
    channel_search: bool = False,
    affine: bool = False,
    statistics: Statistics = "calibrate",
    dropout: float = 0.1,
    initialisation: Initialisation = "released",
) -> Supernet:
    """ShuffleNetV2 of SPOS: each of 20 layers is a shuffle block with kernel 3, 5 or 7 or an Xception block.

    Guo et al., ECCV 2020, [arXiv 1904.00420](https://arxiv.org/abs/1904.00420).

    The choices `"layer1"` … `"layer20"` have the options `k3`, `k5`, `k7`, `xception`, in the order of the released
    code. The defaults are the published ImageNet setting; smaller images keep fewer strides.

    Args:
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels; sets the default of `strides`.
        width_multiplier: Factor on all widths (16; 64, 160, 320, 640; 1024), rounded to multiples of 8.
        depth_multiplier: Factor on the layers of the stages (4, 4, 8, 4), rounded up; one number or one per stage.
        strides: Strides of the stem and of the first layer of each stage; published (2, 2, 2, 2, 2). None: of these the
            leading ones become 1 until the last feature map has at least 4 × 4 pixels.
        head_width: Width before the classifier; None: 1024 × `width_multiplier`.
        channel_search: Whether each layer also chooses the width inside its block, `"layer1.scale"` … from 0.2 to 1.6
            times half its output width; narrower ones are prefixes. A reconstruction of the paper's channel search.
        affine: Whether BatchNorm learns scale and shift. SPOS searches without and trains its architectures with.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.
        dropout: Probability of dropping a feature before the classifier.
        initialisation: `"released"`: normal weights, of deviation 1 / (input channels per group), 0.01 in stem and
            classifier; `"torch"`: PyTorch's default.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an option out of range, or stages that do not widen.

    >>> net = shufflenetv2_spos(num_classes=10, image_size=32, width_multiplier=0.25, depth_multiplier=0.5)
    >>> net.space.size == 4 ** 10
    True
    """
    if head_width is None:
        head_width = scaled_width(HEAD_WIDTH, width_multiplier)
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size, head_width=head_width)
    check_statistics(statistics)
    check_dropout(dropout)
    if initialisation not in get_args(Initialisation):
        raise UsageError(
            f"The initialisation {initialisation!r} does not exist; use one of {get_args(Initialisation)}."
        )
    strides = strides_for(image_size, published=STRIDES, given=strides)
    stem_width, *widths = (scaled_width(width, width_multiplier) for width in (STEM_WIDTH, *WIDTHS))
    _check_widening((stem_width, *widths), width_multiplier)

    def layer(place: Place) -> OpChoice:
        name, width_in, width, stride, first = place
        hidden = _hidden(name, width // 2, channel_search=channel_search)
        block = partial(ShuffleBlock, width_in, width, hidden=hidden, stride=stride, first=first)
        candidates = {op: block(kernel=kernel, affine=affine, statistics=statistics) for op, kernel in KERNELS.items()}
        return OpChoice(Choice(name, BLOCKS), candidates)

    dense = partial(conv_bn, norm=partial(batch_norm, affine=affine, statistics=statistics), activation="relu")
    depths = scaled_depths(DEPTHS, depth_multiplier)
    layers = [layer(place) for place in places(stem_width, widths, depths, strides[1:])]
    stem = dense(in_channels, stem_width, 3, stride=strides[0])
    head = classifier(dense(widths[-1], head_width), head_width, num_classes, dropout=dropout, bias=False)
    net = ShuffleNetV2(stem, layers, head, image_size=image_size, depths=depths)
    if initialisation == "released":
        _initialise(net)
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


def shufflenetv2_spos_blocks(arch: Arch) -> tuple[int, ...]:
    """The released code's tuple of an architecture: 0, 1, 2 kernel 3, 5, 7 and 3 Xception, layer by layer.

    Raises:
        UsageError: the architecture is of another space.
    """
    return tuple(BLOCKS.index(str(arch[name])) for name in _layer_names(arch.space))


def shufflenetv2_spos_arch(space: Space, blocks: Sequence[int], *, scales: Sequence[float] | None = None) -> Arch:
    """The architecture that a tuple of the released code describes.

    Args:
        space: The space of `shufflenetv2_spos`.
        blocks: A number for each layer: 0, 1, 2 (kernel 3, 5, 7) or 3 (Xception).
        scales: The factor on the width inside each layer's block, where the space has a channel search; None: 1.0
            everywhere.

    Raises:
        UsageError: another space, another number of layers, or a number that stands for nothing.

    >>> net = shufflenetv2_spos(image_size=32, width_multiplier=0.25, depth_multiplier=0.25)
    >>> shufflenetv2_spos_arch(net.space, (2, 1, 0, 0, 3))["layer5"]
    'xception'
    """
    names = _layer_names(space)
    if len(blocks) != len(names) or any(block not in range(len(BLOCKS)) for block in blocks):
        raise UsageError(
            f"{tuple(blocks)} is no architecture of this space. Give {len(names)} numbers, one per layer: 0, 1, 2 for "
            "the kernels 3, 5, 7 and 3 for the Xception block."
        )
    decisions: dict[str, str | float] = {name: BLOCKS[block] for name, block in zip(names, blocks, strict=True)}
    if len(space) > len(names):
        scales = (1.0,) * len(names) if scales is None else scales
        if len(scales) != len(names):
            raise UsageError(f"{len(scales)} scales were given for {len(names)} layers; give one per layer.")
        decisions |= {f"{name}.scale": scale for name, scale in zip(names, scales, strict=True)}
    elif scales is not None:
        raise UsageError(
            "Scales were given, but this space has no channel search. Leave them out, or build the space with "
            "shufflenetv2_spos(channel_search=True)."
        )
    return space.arch(decisions)


class ShuffleNetV2(Chain):
    """Stem, layers that are choice blocks, head: (B, C_in, H, W) -> (B, K)."""

    def label(self, name: str, block: Any, arch: Arch) -> str:
        """What a drawing says of a layer; with a channel search also the width inside the block."""
        label = _LABELS[str(arch[name])]
        if isinstance(block.hidden, Expr):
            label += f" · {block.hidden.evaluate(lambda scale: arch[scale.name])}"
        return label


def _hidden(name: str, base: int, *, channel_search: bool) -> Expr | int:
    return Choice(f"{name}.scale", SCALES).map(partial(_scaled, base), name=f"×{base}") if channel_search else base


def _scaled(base: int, scale: float) -> int:
    return max(1, round(base * scale))


def _initialise(net: ShuffleNetV2) -> None:
    """The released initialisation; for a prefix of the channels the deviation is that of the full width."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0, 0.01 if module is net.stem[0] else 1 / module.weight.shape[1])
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.01)


def _check_widening(widths: tuple[int, ...], multiplier: float) -> None:
    if any(before >= after for before, after in pairwise(widths)):
        raise UsageError(
            f"With the width multiplier {multiplier} stem and stages have the widths {widths}, but each stage must be "
            "wider than what it follows. Use a larger multiplier."
        )


def _layer_names(space: Space) -> tuple[str, ...]:
    names = tuple(name for name in space.names if not name.endswith(".scale"))
    ours = (name == f"layer{number}" for number, name in enumerate(names, start=1))
    if not all(ours) or any(space.choices[space.column(name)].options != BLOCKS for name in names):
        raise foreign(space, "Block numbers of SPOS", "shufflenetv2_spos")
    return names
