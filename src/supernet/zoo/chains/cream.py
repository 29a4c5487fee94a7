"""The space of Cream (Peng et al., NeurIPS 2020): kernel and expansion of gated blocks, at a depth chosen before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

from torch import nn

from supernet.errors import UsageError
from supernet.nn import ElasticConv2d, OpChoice, Statistics, Supernet, batch_norm
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch, Choice, Space
from supernet.zoo.arguments import check_at_least_one, check_dropout
from supernet.zoo.chains.chain import Chain, foreign
from supernet.zoo.chains.inverted_residual import InvertedResidual
from supernet.zoo.layers import SqueezeExcite, activation_layer, conv_bn
from supernet.zoo.scaling import scaled_width, strides_for

PAPER = Paper(
    name="Cream",
    title="Cream of the Crop: Distilling Prioritized Paths for One-Shot Neural Architecture Search",
    authors=("Peng", "Du", "Yu", "Li", "Liao", "Fu"),
    venue="NeurIPS",
    year=2020,
    arxiv="2010.15821",
    provenance="official code",
)

TINY: dict[str, Any] = {"variant": "tiny"}

Variant: TypeAlias = Literal["published", "tiny"]
"""The published sizes, or small ones for images of 8 to 32 pixels."""

WIDTHS = (24, 40, 80, 96, 192)
"""Widths of the five stages."""

OPS = tuple((kernel, expansion) for kernel in (3, 5, 7) for expansion in (4, 6))
"""Kernel and expansion of a block by its published number."""

ALONE = (0, 2, 1, 1, 3)
"""The published number of the block of a stage that has one block alone, whatever the published text says of it."""

_STEM, _LAST, _FEATURES = 16, 320, 1280
_STRIDES = (2, 2, 2, 2, 1, 2)


@dataclass(frozen=True)
class _Sizes:
    depths: tuple[int, ...]
    width_multiplier: float
    head_width: int | None


_VARIANTS = {"published": _Sizes((4, 4, 4, 4, 4), 1.0, None), "tiny": _Sizes((1, 1, 2, 1, 1), 0.25, 128)}


def cream(
    *,
    variant: Variant = "published",
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    depths: Sequence[int] | None = None,
    width_multiplier: float | None = None,
    strides: Sequence[int] | None = None,
    head_width: int | None = None,
    statistics: Statistics = "calibrate",
    dropout: float = 0.0,
) -> Supernet:
    """Cream: kernel and expansion of blocks with squeeze-and-excitation, in five stages whose depths are fixed.

    Peng et al., NeurIPS 2020, [arXiv 2010.15821](https://arxiv.org/abs/2010.15821), released code.

    The choices `"stage1.layer1"` … have the options `MB4_K3`, `MB6_K3`, `MB4_K5`, `MB6_K5`, `MB4_K7` and `MB6_K7`
    (expansion and kernel). Depths and resolution are fixed before the training, by `cream_depths` of a range of MACs.
    There is no identity: the released code reads one, but never builds it.

    Args:
        variant: The published sizes, or `"tiny"`: a quarter of the widths and six layers, for small images.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels; sets the default of `strides`.
        depths: Layers of the five stages; None: four each (`"tiny"`: 1, 1, 2, 1 and 1).
        width_multiplier: Factor on all widths, rounded to multiples of 8; None: 1 (`"tiny"`: 0.25).
        strides: Strides of the stem and of the first layer of each stage; published (2, 2, 2, 2, 1, 2). None: of these
            the leading ones become 1 until the last feature map has at least 4 × 4 pixels.
        head_width: Width before the classifier; None: 1,280 × `width_multiplier` (`"tiny"`: 128).
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.
        dropout: Probability of dropping a feature before the classifier.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an option out of range.

    >>> cream(variant="tiny", num_classes=10, in_channels=1, image_size=8).space.size == 6 ** 6
    True
    """
    if variant not in get_args(Variant):
        raise UsageError(f"The variant {variant!r} does not exist; use one of {get_args(Variant)}.")
    sizes = _VARIANTS[variant]
    depths = sizes.depths if depths is None else tuple(depths)
    multiplier = sizes.width_multiplier if width_multiplier is None else width_multiplier
    if len(depths) != len(WIDTHS) or any(isinstance(d, bool) or not isinstance(d, int) or d < 1 for d in depths):
        raise UsageError(f"The depths are {depths}; give five whole numbers of at least 1, such as (4, 4, 4, 4, 4).")
    if head_width is None:
        head_width = sizes.head_width or scaled_width(_FEATURES, multiplier)
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size, head_width=head_width)
    check_statistics(statistics)
    check_dropout(dropout)
    strides = strides_for(image_size, published=_STRIDES, given=strides)
    stem, last, *widths = (scaled_width(width, multiplier) for width in (_STEM, _LAST, *WIDTHS))
    norm = partial(batch_norm, statistics=statistics)
    dense = partial(conv_bn, norm=norm, activation="swish")
    block = partial(InvertedResidual, norm=norm, activation="swish", gate=_gate)
    layers, width_in = [], stem
    for stage, (width, depth, stride) in enumerate(zip(widths, depths, strides[1:], strict=True), start=1):
        for number in range(1, depth + 1):
            made = partial(block, width_in, width, stride=stride if number == 1 else 1)
            layers.append(_layer(f"stage{stage}.layer{number}", made))
            width_in = width
    head = nn.Sequential(
        *dense(width_in, last),
        nn.AdaptiveAvgPool2d(1),
        ElasticConv2d(last, head_width, 1),
        activation_layer("swish"),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(head_width, num_classes),
    )
    first = block(stem, stem, expansion=1, kernel=3, stride=1)
    net = Chain(dense(in_channels, stem, 3, stride=strides[0]), layers, head, first=first, image_size=image_size)
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


def cream_arch(space: Space, text: str, *, retrained: bool = True) -> Arch:
    """The architecture of a published text, such as `"3;33;313;3333;333"`: block numbers, a stage between semicolons.

    Args:
        space: The space of `zoo.cream`, of the depths that the text has.
        text: Numbers from 0 to 5: kernel 3 with expansion 4 and 6, then 5 and 7 alike.
        retrained: Whether a stage of one block has the block that the released code retrains there, whatever the text
            says: 3 × 3 with expansion 4, 5 × 5 with 4, 3 × 3 with 6, 3 × 3 with 6 and 5 × 5 with 6. The published
            costs are of these.

    Raises:
        UsageError: a text of other depths, or with something else than such numbers, or another space.
    """
    if any(not name.startswith("stage") for name in space.names):
        raise foreign(space, "Such texts", "cream")
    stages = [[name for name in space.names if name.startswith(f"stage{n}.")] for n in range(1, len(WIDTHS) + 1)]
    parts = text.split(";")
    if [len(part) for part in parts] != [len(stage) for stage in stages] or not set("".join(parts)) <= set("012345"):
        raise UsageError(
            f"The text {text!r} does not name an architecture of the depths {tuple(map(len, stages))}. Give numbers "
            "from 0 to 5, the stages between semicolons, or build the space with its depths."
        )
    numbers = [
        [ALONE[stage]] if retrained and len(part) == 1 else [int(number) for number in part]
        for stage, part in enumerate(parts)
    ]
    return space.arch(
        {
            name: _name(*OPS[number])
            for names, chosen in zip(stages, numbers, strict=True)
            for name, number in zip(names, chosen, strict=True)
        }
    )


def _gate(width: int) -> nn.Module:
    return SqueezeExcite(width, "relu", hard=True)


def _name(kernel: int, expansion: int) -> str:
    return f"MB{expansion}_K{kernel}"


def _layer(name: str, made: partial[InvertedResidual]) -> OpChoice:
    blocks = {_name(k, e): made(kernel=k, expansion=e) for k, e in OPS}
    cheapest_first = [_name(k, e) for k, e in sorted(OPS, key=lambda op: (op[1], op[0]))]
    return OpChoice(Choice(name, tuple(blocks), order=cheapest_first), blocks)
