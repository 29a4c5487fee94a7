"""A factor at a few moments of the training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.train.move import Path
from supernet.train.optimisers._protocol import check_number
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class Milestones:
    """The learning rate is multiplied by a factor at some shares of the training: factorⁿ behind n of them.

    Args:
        at: The shares, in (0, 1), one after another.
        factor: What it is multiplied by at each, above 0 and at most 1.

    Raises:
        UsageError: a factor outside its range, or shares out of order.
    """

    at: tuple[float, ...]
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_number("The factor on the learning rate", self.factor, above=0, at_most=1)
        if not self.at or list(self.at) != sorted(set(self.at)) or not 0 < self.at[0] <= self.at[-1] < 1:
            raise UsageError(
                f"The learning rate was to change at the shares {self.at} of the training; give at least one in "
                "(0, 1), the smaller ones first."
            )

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        return self.factor ** sum(step.index >= round(share * step.total) for share in self.at)
