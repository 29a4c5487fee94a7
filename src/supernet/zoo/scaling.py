"""Published networks at other sizes: which strides, widths and depths remain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from supernet.errors import UsageError
from supernet.space import round_to

_SMALLEST_MAP = 4


def strides_for(
    image_size: int,
    *,
    published: tuple[int, ...],
    given: Sequence[int] | None = None,
    keep: Literal["last", "first"] = "last",
) -> tuple[int, ...]:
    """Strides of stem and stages for images of this side: those given, or as many of the published as fit.

    Published strides of 2 become 1 one by one, the stem's first, until the last feature map has 4 × 4 pixels or more.

    Args:
        image_size: Side of the images in pixels.
        published: Strides of stem and stages.
        given: Strides to use instead, as many.
        keep: Which of the published remain; those that go first are at the other end.

    Raises:
        UsageError: another number of strides, one that is neither 1 nor 2, or a smaller image than they need.

    >>> [strides_for(side, published=(2, 2, 2, 2, 2)) for side in (224, 32, 8)]
    [(2, 2, 2, 2, 2), (1, 1, 2, 2, 2), (1, 1, 1, 1, 2)]
    >>> strides_for(32, published=(2, 2, 2, 2, 2), keep="first")
    (2, 2, 2, 1, 1)
    """
    if given is None:
        strides = published
        while _last_side(image_size, strides) < _SMALLEST_MAP and 2 in strides:
            twos = [place for place, stride in enumerate(strides) if stride == 2]
            place = twos[0] if keep == "last" else twos[-1]
            strides = (*strides[:place], 1, *strides[place + 1 :])
        return strides
    strides = tuple(given)
    if len(strides) != len(published) or not set(strides) <= {1, 2}:
        raise UsageError(
            f"The strides are {strides}; give {len(published)} of 1 or 2, the stem's and one for the first layer of "
            f"each stage, such as {published}."
        )
    if image_size < math.prod(strides):
        raise UsageError(
            f"The strides {strides} reduce an image {math.prod(strides)} times, but the images have {image_size} "
            "pixels a side. Turn some of the strides into 1."
        )
    return strides


def _last_side(image_size: int, strides: Sequence[int]) -> int:
    for stride in strides:
        image_size = -(-image_size // stride)
    return image_size


def scaled_width(width: int, multiplier: float) -> int:
    """Width × multiplier as a multiple of 8, by MobileNet's rounding.

    Raises:
        UsageError: the multiplier is not above 0.

    >>> scaled_width(40, 1.35), scaled_width(16, 0.25)
    (56, 8)
    """
    if not multiplier > 0 or not math.isfinite(multiplier):
        raise UsageError(f"The width multiplier is {multiplier!r}; give a number above 0, such as 0.5.")
    return width if multiplier == 1 else int(round_to(width * multiplier, 8))


def scaled_depths(layers: Sequence[int], multiplier: float | Sequence[float]) -> tuple[int, ...]:
    """Layers per stage × multiplier, rounded up as in EfficientNet.

    Args:
        layers: Published numbers of layers.
        multiplier: One for all stages, or one for each.

    Raises:
        UsageError: another number of multipliers, or one that is not above 0.

    >>> scaled_depths((4, 4, 8, 4), 0.5), scaled_depths((4, 4, 8, 4), (0.25, 0.5, 0.5, 0.3))
    ((2, 2, 4, 2), (1, 2, 4, 2))
    """
    multipliers = (multiplier,) * len(layers) if isinstance(multiplier, int | float) else tuple(multiplier)
    if len(multipliers) != len(layers) or not all(0 < m < math.inf for m in multipliers):
        raise UsageError(
            f"The depth multiplier is {multiplier!r}; give a number above 0, such as 0.5, or one for each of the "
            f"{len(layers)} stages."
        )
    return tuple(math.ceil(round(count * m, 6)) or 1 for count, m in zip(layers, multipliers, strict=True))
