"""The space of DONNA: five blocks, each of one kind out of 384, with weights of its own for every kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, product
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from torch import nn

from supernet.errors import UsageError
from supernet.nn import OpChoice, Statistics, Supernet, batch_norm
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Choice
from supernet.zoo.arguments import check_at_least_one, check_dropout
from supernet.zoo.chains.dna import StagesOfCells
from supernet.zoo.chains.inverted_residual import InvertedResidual
from supernet.zoo.layers import Norm, SqueezeExcite, classifier, conv_bn
from supernet.zoo.scaling import scaled_width, strides_for

PAPER = Paper(
    name="DONNA",
    title="Distilling Optimal Neural Networks: Rapid Search in Diverse Spaces",
    authors=("Moons", "Noorzad", "Skliar", "Mariani", "Mehta", "Lott", "Blankevoort"),
    venue="ICCV",
    year=2021,
    arxiv="2012.08859",
    provenance="reconstruction",
)

TINY: dict[str, Any] = {"variant": "tiny"}

Variant: TypeAlias = Literal["published", "tiny"]
"""The published choices at the widths of MobileNetV3-Large, or few choices in three small blocks."""

Cell: TypeAlias = Literal["depthwise", "grouped"]
Activation: TypeAlias = Literal["relu", "swish"]
Attention: TypeAlias = Literal["none", "se"]


@dataclass(frozen=True)
class _Sizes:
    stem: int
    widths: tuple[int, ...]
    strides: tuple[int, ...]
    head: int
    kernels: tuple[int, ...] = (3, 5, 7)
    expansions: tuple[int, ...] = (2, 3, 4, 6)
    depths: tuple[int, ...] = (1, 2, 3, 4)


_VARIANTS = {
    "published": _Sizes(16, (24, 40, 80, 112, 160), (2, 2, 2, 2, 1, 2), 1280),
    "tiny": _Sizes(8, (8, 16, 24), (2, 1, 2, 2), 64, (3, 5), (2,), (1, 2)),
}


class _Kind(NamedTuple):
    """What a block is; such tuples ascend from cheap to dear."""

    depth: int
    expansion: int
    cell: Cell
    kernel: int
    attention: Attention
    activation: Activation

    @property
    def name(self) -> str:
        inside = "MB" if self.cell == "depthwise" else "GB"
        gate = "_SE" if self.attention == "se" else ""
        return f"D{self.depth}_{inside}{self.expansion}_K{self.kernel}_{self.activation.upper()}{gate}"


def donna(
    *,
    variant: Variant = "published",
    kernels: Sequence[int] | None = None,
    expansions: Sequence[int] | None = None,
    depths: Sequence[int] | None = None,
    activations: Sequence[Activation] = ("relu", "swish"),
    cells: Sequence[Cell] = ("depthwise", "grouped"),
    attentions: Sequence[Attention] = ("none", "se"),
    group_width: int = 8,
    widths: Sequence[int] | None = None,
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    width_multiplier: float = 1.0,
    strides: Sequence[int] | None = None,
    head_width: int | None = None,
    statistics: Statistics = "calibrate",
    dropout: float = 0.0,
) -> Supernet:
    """DONNA's space: kernel, expansion, depth, activation, cell and attention of five blocks; 384⁵ ≈ 8.3 · 10¹².

    Moons et al., ICCV 2021, [arXiv 2012.08859](https://arxiv.org/abs/2012.08859), §3. A reconstruction: the options are
    the paper's, widths and strides are those of MobileNetV3-Large, and how wide groups are is not known.

    The choices `"block1"` … have options such as `D2_MB4_K3_RELU` and `D4_GB6_K7_SWISH_SE`: layers, cell (`MB` with a
    depthwise convolution, `GB` with one in groups) and expansion, kernel, activation, and whether there is a gate
    (squeeze and excitation). All layers of a block are of one kind, and each kind has weights of its own, as in the
    paper's library of blocks.

    Args:
        variant: The published choices, or `"tiny"`: two kernels and depths, one expansion and three blocks for small
            images.
        kernels: Sides of the kernels; None: those of the variant, published 3, 5, 7.
        expansions: Ratios of hidden to input width, of 2 or more; None: those of the variant, published 2, 3, 4, 6.
        depths: Numbers of layers; None: those of the variant, published 1 to 4.
        activations: Activations: `"relu"`, `"swish"`.
        cells: What the convolution between is: `"depthwise"`, `"grouped"`.
        attentions: Whether the hidden channels are gated: `"none"`, `"se"`.
        group_width: Channels of a group of a grouped convolution, which divides all widths.
        widths: The width of each block; None: those of the variant times `width_multiplier`.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels; sets the default of `strides`.
        width_multiplier: Factor on all widths of the variant, rounded to multiples of 8.
        strides: Strides of the stem and of the first layer of each block; published (2, 2, 2, 2, 1, 2). None: of these
            the leading ones become 1 until the last feature map has at least 4 × 4 pixels.
        head_width: Width before the classifier; None: 1,280 × `width_multiplier` (`"tiny"`: 64 ×).
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.
        dropout: Probability of dropping a feature before the classifier.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an option out of range.

    >>> donna(variant="tiny", num_classes=10, in_channels=1, image_size=8).space.size == 32 ** 3
    True
    """
    if variant not in get_args(Variant):
        raise UsageError(f"The variant {variant!r} does not exist; use one of {get_args(Variant)}.")
    sizes = _VARIANTS[variant]
    if widths is None:
        widths = [scaled_width(width, width_multiplier) for width in sizes.widths]
    stem = scaled_width(sizes.stem, width_multiplier)
    head_width = scaled_width(sizes.head, width_multiplier) if head_width is None else head_width
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size, head_width=head_width)
    check_statistics(statistics)
    check_dropout(dropout)
    kinds = list(
        _kinds(
            kernels=sizes.kernels if kernels is None else kernels,
            expansions=sizes.expansions if expansions is None else expansions,
            depths=sizes.depths if depths is None else depths,
            activations=activations,
            cells=cells,
            attentions=attentions,
        )
    )
    if len(widths) != len(sizes.widths) or any(width < 1 or width % group_width for width in (stem, *widths)):
        raise UsageError(
            f"The blocks have the widths {tuple(widths)} behind {stem} channels, and groups {group_width}; give "
            f"{len(sizes.widths)} widths, all of which groups divide."
        )
    strides = strides_for(image_size, published=sizes.strides, given=strides)
    norm = partial(batch_norm, statistics=statistics)
    dense = partial(conv_bn, norm=norm, activation="swish")
    blocks = [
        _block(f"block{number}", kinds, *pair, stride, norm, group_width)
        for number, (pair, stride) in enumerate(zip(pairwise((stem, *widths)), strides[1:], strict=True), start=1)
    ]
    net = StagesOfCells(
        nn.Sequential(*dense(in_channels, stem, 3, stride=strides[0])),
        InvertedResidual(stem, stem, expansion=1, kernel=3, stride=1, norm=norm, activation="swish"),
        nn.Sequential(*blocks),
        classifier(dense(widths[-1], head_width), head_width, num_classes, dropout=dropout),
    )
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


def _kinds(
    *,
    kernels: Sequence[int],
    expansions: Sequence[int],
    depths: Sequence[int],
    activations: Sequence[Activation],
    cells: Sequence[Cell],
    attentions: Sequence[Attention],
) -> Iterator[_Kind]:
    """All kinds of blocks, depth by depth."""
    numbers = (("kernels", kernels, 1), ("expansions", expansions, 2), ("depths", depths, 1))
    for name, given, least in numbers:
        if not given or min(given) < least or len(set(given)) < len(given):
            raise UsageError(f"The {name} are {tuple(given)}; give at least one number of {least} or more, each once.")
    if any(kernel % 2 == 0 for kernel in kernels):
        raise UsageError(f"The kernels are {tuple(kernels)}; give odd ones.")
    words = (("activations", activations, Activation), ("cells", cells, Cell), ("attentions", attentions, Attention))
    for name, chosen, known in words:
        if not chosen or not set(chosen) <= set(get_args(known)) or len(set(chosen)) < len(chosen):
            raise UsageError(f"The {name} are {tuple(chosen)}; give one or more of {get_args(known)}, each once.")
    yield from map(_Kind._make, product(depths, expansions, cells, kernels, attentions, activations))


def _block(
    name: str, kinds: Sequence[_Kind], width_in: int, width: int, stride: int, norm: Norm, group_width: int
) -> OpChoice:
    candidates = {kind.name: _row(kind, width_in, width, stride, norm, group_width) for kind in kinds}
    return OpChoice(Choice(name, tuple(candidates), order=[kind.name for kind in sorted(kinds)]), candidates)


def _row(kind: _Kind, width_in: int, width: int, stride: int, norm: Norm, group_width: int) -> nn.Sequential:
    return nn.Sequential(
        *(
            InvertedResidual(
                width if place else width_in,
                width,
                expansion=kind.expansion,
                kernel=kind.kernel,
                stride=1 if place else stride,
                norm=norm,
                activation=kind.activation,
                gate=partial(SqueezeExcite, activation=kind.activation) if kind.attention == "se" else None,
                group_width=group_width if kind.cell == "grouped" else 1,
            )
            for place in range(kind.depth)
        )
    )
