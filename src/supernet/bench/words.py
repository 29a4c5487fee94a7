"""Figures in the units and digits of people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from supernet.rank.evidence import Estimate, number


def spread(values: Sequence[float], digits: int) -> str:
    """Mean ± standard deviation, the deviation to as many places as the mean; a dash for no values.

    >>> spread([93.1, 93.5], 4), spread([0.5], 3), spread([0.0, 2.0], 2)
    ('93.30 ± 0.28', '0.500', '1.0 ± 1.4')
    """
    if not values:
        return "–"
    mean = float(np.mean(values))
    whole = len(str(int(abs(mean)))) if abs(mean) >= 1 else 0
    places = max(0, digits - whole)
    text = f"{mean:.{places}f}"
    return f"{text} ± {float(np.std(values, ddof=1)):.{places}f}" if len(values) > 1 else text


def duration(seconds: float) -> str:
    """A time.

    >>> duration(4.2), duration(75), duration(3 * 3600 + 300)
    ('4 s', '1 min 15 s', '3 h 5 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def memory(count: float) -> str:
    """A number of bytes.

    >>> memory(700 * 2**20), memory(3 * 2**30)
    ('700 MiB', '3.0 GiB')
    """
    return f"{count / 2**20:.0f} MiB" if count < 2**30 else f"{count / 2**30:.1f} GiB"


def signed(value: float) -> str:
    """Two decimals with a sign.

    >>> signed(0.031), signed(-0.031), signed(0.0)
    ('+0.03', '-0.03', '0.00')
    """
    text = number(value)
    return f"+{text}" if value > 0 and text.strip("0.") else text


def signed_interval(difference: Estimate) -> str:
    """A difference with its interval, where it has one."""
    if difference.low is None or difference.high is None:
        return signed(difference.value)
    return f"{signed(difference.value)} [{signed(difference.low)}, {signed(difference.high)}]"


def counted(count: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "seed"), counted(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def in_words(changes: Mapping[str, Any]) -> str:
    """Settings as `method=fairnas, train.steps=2000`."""
    texts = (f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in changes.items())
    return ", ".join(texts) or "–"
