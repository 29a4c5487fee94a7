"""A factor at given shares of the training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.train.move import Path, Step
from supernet.train.optimisers._protocol import check_number


@dataclass(frozen=True, kw_only=True)
class Milestones:
    """The learning rate is multiplied by a factor at some shares of the training, or of its phase.

    Args:
        at: The shares, rising, each between 0 and 1.
        factor: What it is multiplied by at each, above 0 and at most 1.

    Raises:
        UsageError: a value outside its range, or shares that do not rise.
    """

    at: tuple[float, ...] = (0.6, 0.8)
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_number("The factor on the learning rate", self.factor, above=0, at_most=1)
        if not self.at or list(self.at) != sorted(set(self.at)) or not 0 < self.at[0] <= self.at[-1] < 1:
            raise UsageError(
                f"The learning rate falls at the shares {self.at} of the training; give shares between 0 and 1 that "
                "rise, such as (0.6, 0.8)."
            )

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        return float(self.factor ** sum(step.progress >= share for share in self.at))
