"""The space of DNA: EfficientNet-B0's chain in six stages, each a row of blocks, or one of several rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Literal, TypeAlias

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import OpChoice, Statistics, Supernet, batch_norm
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch, Choice, Expr
from supernet.zoo.arguments import check_at_least_one, check_dropout
from supernet.zoo.chains.inverted_residual import InvertedResidual
from supernet.zoo.layers import Norm, SqueezeExcite, classifier, conv_bn
from supernet.zoo.scaling import scaled_width, strides_for

PAPER = Paper(
    name="DNA",
    title="Block-Wisely Supervised Neural Architecture Search with Knowledge Distillation",
    authors=("Li", "Peng", "Yuan", "Wang", "Liang", "Lin", "Chang"),
    venue="CVPR",
    year=2020,
    arxiv="1911.13053",
    provenance="official code",
)

TINY: dict[str, Any] = {"variant": "tiny"}

Cells: TypeAlias = Sequence[Sequence[tuple[int, int]]]
"""For each stage the cells that it may be, each as (layers, width)."""

OPS = ("MB6_K3", "MB6_K5", "MB6_K7", "MB3_K3", "MB3_K5", "MB3_K7")
STRIDES = (2, 2, 2, 2, 1, 2, 1)
STEM, FIRST, HEAD = 32, 16, 1280
TAPS = (48, 80, 160, 224, 384, 640)
"""The widths in which the released code ends its stages, those of EfficientNet-B7's."""

VARIANTS: dict[str, Cells] = {
    "reference": (((2, 24),), ((4, 40),), ((4, 80),), ((4, 112),), ((4, 192),), ((1, 320),)),
    "crsupernet": (((2, 24),), ((2, 40),), ((2, 80),), ((4, 112),), ((6, 192),), ((2, 320),)),
    "cells": (
        ((2, 24), (3, 24)),
        ((3, 40), (4, 40)),
        ((4, 80),),
        ((4, 96), (4, 112)),
        ((4, 192), (5, 160), (5, 192)),
        ((1, 320),),
    ),
    "tiny": (((1, 8), (2, 8)), ((2, 16),), ((1, 24),)),
}
"""The cells by variant; `"cells"` has those of the published networks DNA-a to DNA-d."""

_ENDS = {"published": None, "teacher": TAPS}
_TINY_STRIDES = (2, 1, 2, 2)


def dna(
    *,
    variant: Literal["reference", "crsupernet", "cells", "tiny"] = "reference",
    cells: Cells | None = None,
    ends: Literal["published", "teacher"] | Sequence[int] = "published",
    fixed_last: bool = False,
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    width_multiplier: float = 1.0,
    strides: Sequence[int] | None = None,
    head_width: int | None = None,
    statistics: Statistics = "calibrate",
    dropout: float = 0.0,
) -> Supernet:
    """DNA's chain: kernel and expansion of the block in each layer of six stages; 6¹⁹ in the reference cells.

    [arXiv 1911.13053](https://arxiv.org/abs/1911.13053), table 1 and released code. The choices `"stage1.layer1"` …
    have the options `MB6_K3`, `MB6_K5`, `MB6_K7`, `MB3_K3`, `MB3_K5`, `MB3_K7` (expansion and kernel), gated by squeeze
    and excitation with a quarter of a block's input channels, with swish. Where a stage has several cells,
    `"stage1.cell"` says which one, such as `"3x24"` (layers, width), and its layers are choices of their own,
    `"stage1.3x24.layer1"`.

    Args:
        variant: Cells of the released code, `"reference"` (2, 4, 4, 4, 4, 1 layers) or `"crsupernet"` (2, 2, 2, 4, 6,
            2); `"cells"`, several in four of the stages, those of DNA-a to DNA-d (a reconstruction: the paper's other
            cells are not released); or `"tiny"`, three stages for small images.
        cells: Cells of one's own, for each stage as (layers, width); None: those of the variant.
        ends: The width of the last layer of each stage, which must match the features of the teacher: `"published"`,
            that of its cells (the widest, if they differ); `"teacher"`, EfficientNet-B7's, as the released code trains;
            or a number per stage.
        fixed_last: Whether the last stage is one block `MB6_K3`, no choice and a part of the head, as when the released
            code searches.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels; sets the default of `strides`.
        width_multiplier: Factor on all widths but those given as numbers, rounded to multiples of 8.
        strides: Strides of the stem and of the first layer of each stage; published (2, 2, 2, 2, 1, 2, 1). None: of
            these the leading ones become 1 until the last feature map has at least 4 × 4 pixels.
        head_width: Width before the classifier; None: 1,280 × `width_multiplier`.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.
        dropout: Probability of dropping a feature before the classifier.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an unknown variant, or an option out of range.

    >>> dna(num_classes=10, image_size=32, width_multiplier=0.25).space.size == 6 ** 19
    True
    """
    if variant not in VARIANTS:
        raise UsageError(f"The variant {variant!r} does not exist; use one of {tuple(VARIANTS)}.")
    rows = _checked(VARIANTS[variant] if cells is None else cells, width_multiplier)
    if head_width is None:
        head_width = scaled_width(HEAD, width_multiplier)
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size, head_width=head_width)
    check_statistics(statistics)
    check_dropout(dropout)
    widths = _ends(ends, rows, width_multiplier)
    published = _TINY_STRIDES if variant == "tiny" and cells is None else STRIDES[: len(rows) + 1]
    strides = strides_for(image_size, published=published, given=strides)
    norm = partial(batch_norm, statistics=statistics)
    dense = partial(conv_bn, norm=norm, activation="swish")
    stem_width, first = (scaled_width(width, width_multiplier) for width in (STEM, FIRST))
    last = len(rows) if fixed_last else len(rows) + 1
    stages = [
        _stage(number, row, *pair, strides[number], norm)
        for number, (row, pair) in enumerate(zip(rows, pairwise((first, *widths)), strict=True), start=1)
        if number < last
    ]
    fixed = [_block("MB6_K3", widths[-2] if len(rows) > 1 else first, widths[-1], strides[-1], norm)]
    features = [*(fixed if fixed_last else ()), *dense(widths[-1], head_width)]
    net = StagesOfCells(
        nn.Sequential(*dense(in_channels, stem_width, 3, stride=strides[0])),
        _block("MB1_K3", stem_width, first, 1, norm),
        nn.Sequential(*stages),
        classifier(features, head_width, num_classes, dropout=dropout),
    )
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


class StagesOfCells(nn.Module):
    """Stem, a fixed block, stages, head: (B, C_in, H, W) -> (B, K)."""

    def __init__(self, stem: nn.Module, first: nn.Module, stages: nn.Sequential, head: nn.Module) -> None:
        super().__init__()
        self.stem, self.first, self.stages, self.head = stem, first, stages, head

    @property
    def stage_names(self) -> tuple[tuple[str, ...], ...]:
        """The modules of each stage, see `nn.stage_modules.Staged`."""
        names = [(f"stages.{number}",) for number in range(len(self.stages))]
        return (("stem", "first", *names[0]), *names[1:])

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.stages(self.first(self.stem(x))))
        return out


def dna_blocks(arch: Arch) -> list[list[str]]:
    """The blocks that run, stage by stage."""
    found: dict[str, list[str]] = {}
    for name, option in arch.options().items():
        if not name.endswith(".cell"):
            found.setdefault(name.partition(".")[0], []).append(str(option))
    return list(found.values())


def _stage(
    number: int, cells: Sequence[tuple[int, int]], width_in: int, width_out: int, stride: int, norm: Norm
) -> nn.Module:
    if len(cells) == 1:
        return _cell(f"stage{number}", cells[0], width_in, width_out, stride, norm, None)
    names = {f"{layers}x{width}": (layers, width) for layers, width in cells}
    which = Choice(f"stage{number}.cell", tuple(names))
    return OpChoice(
        which,
        {
            name: _cell(f"stage{number}.{name}", cell, width_in, width_out, stride, norm, which.is_in((name,)))
            for name, cell in names.items()
        },
    )


def _cell(
    name: str,
    cell: tuple[int, int],
    width_in: int,
    width_out: int,
    stride: int,
    norm: Norm,
    when: Expr | None,
) -> nn.Sequential:
    layers, width = cell
    widths = [width_in, *[width] * (layers - 1), width_out]
    made = []
    for place, pair in enumerate(pairwise(widths)):
        candidates = {op: _block(op, *pair, stride if place == 0 else 1, norm) for op in OPS}
        order = ("MB3_K3", "MB6_K3", "MB3_K5", "MB6_K5", "MB3_K7", "MB6_K7")
        made.append(OpChoice(Choice(f"{name}.layer{place + 1}", OPS, order=order, when=when), candidates))
    return nn.Sequential(*made)


def _block(op: str, width_in: int, width_out: int, stride: int, norm: Norm) -> InvertedResidual:
    expansion, kernel = (int(part.strip("MBK")) for part in op.split("_"))
    return InvertedResidual(
        width_in,
        width_out,
        expansion=expansion,
        kernel=kernel,
        stride=stride,
        norm=norm,
        activation="swish",
        gate=partial(SqueezeExcite, activation="swish", reduced=max(1, width_in // 4)),
    )


def _checked(cells: Cells, multiplier: float) -> list[list[tuple[int, int]]]:
    found = []
    for stage in cells:
        row = [(layers, width) for layers, width in stage]
        for layers, width in row:
            check_at_least_one(layers=layers, width=width)
        if not row or len(set(row)) < len(row):
            raise UsageError(f"The cells of a stage are {row}; give one or more different ones, as (layers, width).")
        found.append([(layers, scaled_width(width, multiplier)) for layers, width in row])
    if not found or len(found) > len(STRIDES) - 1:
        raise UsageError(f"{len(found)} stages were given; there are 1 to {len(STRIDES) - 1}.")
    return found


def _ends(ends: str | Sequence[int], rows: Sequence[Sequence[tuple[int, int]]], multiplier: float) -> tuple[int, ...]:
    if isinstance(ends, str):
        if ends not in _ENDS or (ends == "teacher" and len(rows) != len(TAPS)):
            raise UsageError(
                f"The stages end in {ends!r} widths; give 'published', 'teacher' where there are {len(TAPS)} stages, "
                "or a number for each."
            )
        if ends == "teacher":
            return tuple(scaled_width(width, multiplier) for width in TAPS)
        return tuple(max(width for _, width in row) for row in rows)
    found = tuple(ends)
    if len(found) != len(rows):
        raise UsageError(f"The stages end in the widths {found}; give {len(rows)}, one for each stage.")
    for width in found:
        check_at_least_one(width=width)
    return found
