"""The paired t-test over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from supernet.errors import require

MIN_SEEDS = 3


@dataclass(frozen=True)
class PairedT:
    """A paired t-test (two-sided) of one figure over the seeds that two cells share.

    Attributes:
        seeds: The shared seeds.
        mean: Mean difference.
        std: Standard deviation of the differences.
        p_value: Of a mean of 0.
    """

    seeds: tuple[int, ...]
    mean: float
    std: float
    p_value: float

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def paired_t(first: Mapping[int, float], second: Mapping[int, float]) -> PairedT | None:
    """Test whether two cells differ, by their figures per seed; None below three shared seeds, or where all agree.

    The architectures count as given: the test says whether other *trainings* would differ, not other architectures.

    >>> found = paired_t({0: 0.5, 1: 0.6, 2: 0.7}, {0: 0.4, 1: 0.4, 2: 0.4})
    >>> round(found.mean, 3), round(found.std, 3), round(found.p_value, 4)
    (0.2, 0.1, 0.0742)

    Raises:
        RunError: SciPy is not installed.
    """
    seeds = tuple(seed for seed in first if seed in second)
    if len(seeds) < MIN_SEEDS:
        return None
    each = [first[seed] - second[seed] for seed in seeds]
    mean = sum(each) / len(each)
    std = math.sqrt(sum((value - mean) ** 2 for value in each) / (len(each) - 1))
    if std < 1e-12:
        return None
    require("scipy", "judge", "The paired test over seeds")
    from scipy.special import stdtr

    t = mean / (std / math.sqrt(len(each)))
    return PairedT(seeds, mean, std, float(2 * stdtr(len(each) - 1, -abs(t))))
