"""Costs of OFA's networks, added up from their decisions and the tables of the paper's code, without this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def divisible(number: float, divisor: int = 8) -> int:
    """`make_divisible` of MobileNet."""
    found = max(divisor, int(number + divisor / 2) // divisor * divisor)
    return found + divisor if found < 0.9 * number else found


class Count:
    """Multiply-accumulates of one image of some side, and parameters with those of BatchNorm."""

    def __init__(self, size: int) -> None:
        self.size, self.macs, self.params = size, 0, 0

    def conv(
        self, c_in: int, c_out: int, kernel: int = 1, stride: int = 1, *, groups: int = 1, norm: bool = True
    ) -> None:
        self.size = -(-self.size // stride)
        weights = c_in // groups * c_out * kernel**2
        self.macs += weights * self.size**2
        self.params += weights + 2 * c_out * norm

    def gate(self, width: int) -> None:
        inner = divisible(width // 4)
        self.macs += 2 * width * inner
        self.params += 2 * width * inner + width + inner

    def linear(self, c_in: int, c_out: int) -> None:
        self.macs += c_in * c_out
        self.params += c_in * c_out + c_out


def mobile(
    arch: Mapping[str, Any],
    *,
    size: int,
    stem: int,
    first: int,
    stages: Sequence[tuple[int, int, bool]],
    head: Sequence[int],
    width: float = 1.0,
    strides: Sequence[int] | None = None,
    single: int | None = None,
    in_channels: int = 3,
    classes: int = 1000,
) -> Count:
    """A mobile network.

    Args:
        arch: Options by choice name.
        size: Side of the images as they enter the stem.
        stem: Width of the stem.
        first: Width of the fixed block.
        stages: Width, stride and whether it is gated, of every stage.
        head: Widths before the classifier; the first one has BatchNorm, a second one is computed on the means.
        width: Factor on all widths.
        strides: Strides of stem, fixed block and stages in place of the published ones.
        single: The number of the stage that has one block.
        in_channels: Channels of the images.
        classes: Number of classes.
    """
    steps = (2, 1, *(stride for _, stride, _ in stages)) if strides is None else tuple(strides)
    stem, c_in, *rest = (w if width == 1 else divisible(w * width) for w in (stem, first, *(w for w, _, _ in stages)))
    count = Count(size)
    count.conv(in_channels, stem, 3, steps[0])
    count.conv(stem, stem, 3, steps[1], groups=stem)
    count.conv(stem, c_in)
    for number, (c_out, (_, _, gated)) in enumerate(zip(rest, stages, strict=True), start=1):
        for block in range(1, 2 if number == single else arch[f"stage{number}.depth"] + 1):
            name = f"stage{number}.block{block}"
            hidden = divisible(round(c_in * arch[f"{name}.expansion"]))
            count.conv(c_in, hidden)
            step = steps[number + 1] if block == 1 else 1
            count.conv(hidden, hidden, arch[f"{name}.kernel"], step, groups=hidden)
            if gated:
                count.gate(hidden)
            count.conv(hidden, c_out)
            c_in = c_out
    wide, *mixed = (w if width == 1 else divisible(w * width) for w in head)
    count.conv(c_in, wide)
    count.size = 1
    for c_out in mixed:
        count.conv(wide, c_out, norm=False)
        wide = c_out
    count.linear(wide, classes)
    return count


def resnet(
    arch: Mapping[str, Any], *, size: int, strides: Sequence[int] = (2, 2, 1, 2, 2, 2), classes: int = 1000
) -> Count:
    """A ResNet-D of bottlenecks, from widths in channels."""
    count, inner, c_in = Count(size), arch["stem.inner.width"], arch["stem.width"]
    count.conv(3, inner, 3, strides[0])
    if arch["stem.depth"]:
        count.conv(inner, inner, 3)
    count.conv(inner, c_in, 3)
    count.size = -(-count.size // strides[1])
    for number, stride in enumerate(strides[2:], start=1):
        c_out = arch[f"stage{number}.width"]
        for block in range(1, arch[f"stage{number}.depth"] + 1):
            hidden, step = divisible(round(c_out * arch[f"stage{number}.block{block}.expansion"])), 1
            count.conv(c_in, hidden)
            if block == 1:
                step = stride
            count.conv(hidden, hidden, 3, step)
            count.conv(hidden, c_out)
            if block == 1:
                count.conv(c_in, c_out)
            c_in = c_out
    count.linear(c_in, classes)
    return count
