"""A rise, and a fall with the square root of the time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.train.move import Path
from supernet.train.step import Step


@dataclass(frozen=True)
class InverseSquareRoot:
    """Linear rise to 1 over the first share of the training; after s steps of it the factor of step t is √(s / t).

    Vaswani et al., *Attention Is All You Need*, [arXiv 1706.03762](https://arxiv.org/abs/1706.03762), eq. 3, with the
    learning rate as its peak.

    Args:
        share: Share of all steps spent rising, above 0 and at most 1.

    Raises:
        UsageError: the share is outside its range.
    """

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UsageError(
                f"The share of the training in which the learning rate rises is {self.share}; give one above 0 and at "
                "most 1, for the fall is measured by it."
            )

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        rise = max(1.0, self.share * step.total)
        time = step.index + 1
        return min(time / rise, math.sqrt(rise / time))
