"""Figures in the units and digits of people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def spread(values: Sequence[float], digits: int) -> str:
    """Mean ± standard deviation, the deviation to as many places as the mean.

    >>> spread([93.1, 93.5], 4), spread([0.5], 3), spread([0.0, 2.0], 2)
    ('93.30 ± 0.28', '0.500', '1.0 ± 1.4')
    """
    mean = float(np.mean(values))
    whole = len(str(int(abs(mean)))) if abs(mean) >= 1 else 0
    places = max(0, digits - whole)
    text = f"{mean:.{places}f}"
    return f"{text} ± {float(np.std(values, ddof=1)):.{places}f}" if len(values) > 1 else text


def thousands(count: float) -> str:
    """A count with separators.

    >>> thousands(10000)
    '10,000'
    """
    return f"{count:,.0f}"


def minutes(seconds: float) -> str:
    """Seconds, minutes or hours.

    >>> minutes(12.3), minutes(444), minutes(9000)
    ('12 s', '7.4 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def gibibytes(count: float) -> str:
    """Memory.

    >>> gibibytes(700 * 2**20), gibibytes(3 * 2**30)
    ('700 MiB', '3.0 GiB')
    """
    return f"{count / 2**20:.0f} MiB" if count < 2**30 else f"{count / 2**30:.1f} GiB"
