"""A figure with its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A figure, how far it can be trusted, and what it rests on.

    Attributes:
        value: The figure; the mean over the trainings if there are several.
        low: Lower end of the interval; None where no valid interval is known.
        high: Upper end.
        p_value: Share of random orders that do at least as well (one-sided permutation test, (1 + hits) / (1 + B));
            None for a difference.
        n: Number of architectures.
        confidence: Nominal coverage of the interval.
        trainings: The figure of each training of the supernet, (S,).
    """

    value: float
    low: float | None
    high: float | None
    p_value: float | None
    n: int
    confidence: float
    trainings: tuple[float, ...]

    @property
    def std(self) -> float | None:
        """Standard deviation over the trainings (S − 1 in the denominator); None for a single one."""
        return float(np.std(self.trainings, ddof=1)) if len(self.trainings) > 1 else None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return number(self.value)
        return f"{number(self.value)} [{number(self.low)}, {number(self.high)}]"

    def to_json(self) -> dict[str, Any]:
        """All of it, and the standard deviation."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "p_value": self.p_value,
            "n": self.n,
            "confidence": self.confidence,
            "std": self.std,
            "trainings": list(self.trainings),
        }


def number(value: float) -> str:
    """Two decimals, three significant digits where it is larger, and no negative zero.

    >>> number(0.5512), number(-0.001), number(93.94), number(1234.5)
    ('0.55', '0.00', '93.9', '1234')
    """
    text = f"{value:.{2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text
