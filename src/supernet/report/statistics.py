"""The few statistics the page computes itself."""

from __future__ import annotations

import math
from collections.abc import Sequence


def wilson(share: float, count: float, *, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share observed in ``count`` trials (Wilson, 1927); 95 % with the default ``z``."""
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def smooth(values: Sequence[float], span: int) -> list[float]:
    """Exponential moving average with the given span, without bias towards zero; NaN values are passed over.

    >>> smooth([1.0, 1.0, 4.0], 1), smooth([2.0, 2.0], 9)
    ([1.0, 1.0, 4.0], [2.0, 2.0])
    """
    keep = 1 - 2 / (span + 1)
    total = weight = 0.0
    result = []
    for value in values:
        if math.isfinite(value):
            total, weight = keep * total + value, keep * weight + 1
        result.append(total / weight if weight else math.nan)
    return result


def hypervolume(points: Sequence[tuple[float, float]], reference: tuple[float, float]) -> float:
    """Area dominated by points in two quantities to be maximised, above a reference point.

    >>> hypervolume([(1.0, 2.0), (2.0, 1.0), (0.5, 0.5)], (0.0, 0.0))
    3.0
    """
    area, height = 0.0, reference[1]
    for x, y in sorted(points, reverse=True):
        if x > reference[0] and y > height:
            area += (x - reference[0]) * (y - height)
            height = y
    return area
