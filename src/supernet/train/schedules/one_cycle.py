"""A rise and a longer fall, both along half a cosine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from supernet.train.move import Path
from supernet.train.optimisers._protocol import check_number
from supernet.train.schedules._protocol import check_share
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class OneCycle:
    """From 1 / `begin` along half a cosine to 1, then along half a cosine to 1 / (`begin` · `end`) in the last step.

    Smith and Topin, [arXiv 1708.07120](https://arxiv.org/abs/1708.07120), as torch's `OneCycleLR`, whose defaults these
    are; momentum stays as it is, which torch lets fall and rise again.

    Args:
        rise: The share of the training at whose end the factor is 1, in [0, 1].
        begin: By how much the first factor is smaller than 1, at least 1.
        end: By how much the last factor is smaller than the first, at least 1.

    Raises:
        UsageError: a value outside its range.
    """

    rise: float = 0.3
    begin: float = 25.0
    end: float = 1e4

    def __post_init__(self) -> None:
        check_share("The rise of the learning rate", self.rise)
        check_number("By how much the first learning rate is smaller", self.begin, at_least=1)
        check_number("By how much the last learning rate is smaller than the first", self.end, at_least=1)

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        top, last = self.rise * step.total - 1, step.total - 1
        if step.index <= top:
            return _between(1 / self.begin, 1.0, step.index / top if top > 0 else 1.0)
        way = (step.index - top) / (last - top)
        return _between(1.0, 1 / (self.begin * self.end), way)


def _between(start: float, end: float, way: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * way)) / 2
