"""Depths and resolution of Cream's space for a range of MACs, before anything is trained."""

from __future__ import annotations

from typing import NamedTuple

from supernet.errors import UsageError
from supernet.space import round_to
from supernet.zoo.chains.cream import OPS, WIDTHS

_SIDES = (56, 28, 14, 14, 7)
_STRIDES = (2, 2, 2, 1, 2)
_GROWTH = tuple(zip((2, 3, 4, 1, 0, 2, 3, 4, 1, 0), (3, 3, 3, 2, 2, 4, 4, 4, 4, 4), strict=True))
"""The stages that are made deeper, one after another, and up to which depth."""


class CreamSizes(NamedTuple):
    """What `zoo.cream` is built with.

    Attributes:
        depths: Layers of the five stages.
        image_size: Side of the images in pixels.
    """

    depths: tuple[int, ...]
    image_size: int


def cream_depths(*, low: float = 0.0, high: float = 600e6) -> CreamSizes:
    """Depths and resolution whose largest network has about `high` operations, by the rule of the released code.

    [arXiv 2010.15821](https://arxiv.org/abs/2010.15821), released code. Stages grow one after another, from one layer
    each, as long as the largest blocks of all layers stay below `high`. If even the smallest blocks of one layer a
    stage are above it, the resolution falls in steps of 32 pixels, each of which raises both bounds by 224 / resolution
    again. Operations are those of the five stages at 224 pixels, as the code counts them: multiply-accumulates and
    biases, two for every feature that BatchNorm scales, one for every feature that is pooled.

    Args:
        low: The operations that the largest network has at least.
        high: The operations that it has at most.

    Raises:
        UsageError: no depth reaches `low`, no resolution keeps `high`, or they are in the wrong order.

    >>> cream_depths(high=300e6)
    CreamSizes(depths=(1, 2, 3, 3, 3), image_size=224)
    """
    if not 0 <= low <= high:
        raise UsageError(f"The range of MACs is {low:g} to {high:g}; give 0 ≤ low ≤ high.")
    depths, tiles, given = [1] * len(WIDTHS), 7, (low, high)
    smallest = sum(operations(stage, 0, first=True) for stage in range(len(WIDTHS)))
    spent = sum(operations(stage, 5, first=True) for stage in range(len(WIDTHS)))
    while smallest > high and tiles >= 2:
        tiles -= 1
        low, high = low * 7 / max(tiles, 1), high * 7 / max(tiles, 1)
    for stage, limit in _GROWTH:
        while depths[stage] < limit:
            further = operations(stage, 5, first=False)
            if spent + further > high and spent >= low:
                return _found(depths, tiles, given)
            depths[stage] += 1
            spent += further
    if spent < low:
        tiles = 0
    return _found(depths, tiles, given)


def operations(stage: int, number: int, *, first: bool) -> float:
    """What the released code counts for a block of a stage (0 … 4), with images of 224 pixels.

    Args:
        stage: The stage.
        number: The published number of the block.
        first: Whether it is the first of its stage, which changes width and perhaps resolution.
    """
    kernel, expansion = OPS[number]
    width_in = (16, *WIDTHS)[stage] if first else WIDTHS[stage]
    width_out, pixels = WIDTHS[stage], _SIDES[stage] ** 2
    before = pixels * (_STRIDES[stage] ** 2 if first else 1)
    hidden = expansion * width_in
    reduced = int(round_to(hidden / 4, 8))
    expand = before * hidden * (width_in + 2)
    spread = pixels * hidden * (kernel**2 + 2)
    gate = hidden * (pixels + 1) + 2 * reduced * (hidden + 1)
    project = pixels * width_out * (hidden + 2)
    return float(expand + spread + gate + project)


def _found(depths: list[int], tiles: int, given: tuple[float, float]) -> CreamSizes:
    if tiles < 2:
        raise UsageError(
            f"No depth and resolution of Cream's space has {given[0] / 1e6:g} to {given[1] / 1e6:g} million "
            "operations; its largest networks have from about 40 to 600 million. Choose another range."
        )
    return CreamSizes(tuple(depths), 32 * tiles)
