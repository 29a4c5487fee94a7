"""An exponential that ends at a floor (BigNAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.train.move import Path
from supernet.train.optimisers._protocol import check_number
from supernet.train.schedules._protocol import check_share
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class Exponential:
    """The learning rate decays at every step, until it reaches a floor: max(floor, factor^(e / epochs)) after e epochs.

    BigNAS ([arXiv 2003.11142](https://arxiv.org/abs/2003.11142), §3.1) decays by 0.97 every 2.4 epochs and keeps 5 %,
    which is reached after 236 epochs. `StepDecay` falls all at once after so many epochs.

    Args:
        factor: What it is multiplied by, above 0 and at most 1.
        epochs: The epochs from one multiplication to the next.
        floor: The factor on the learning rate that remains.
        begin: The epochs before the decay begins, such as those of a warm-up.

    Raises:
        UsageError: a value outside its range.
    """

    factor: float = 0.97
    epochs: float = 2.4
    floor: float = 0.0
    begin: float = 0.0

    def __post_init__(self) -> None:
        check_number("The factor on the learning rate", self.factor, above=0, at_most=1)
        check_number("The number of epochs between two multiplications", self.epochs, above=0)
        check_share("The floor of the learning rate", self.floor)
        check_number("The number of epochs before the decay", self.begin, at_least=0)

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        epochs = max(0.0, step.index / step.steps_per_epoch - self.begin)
        return max(self.floor, float(self.factor ** (epochs / self.epochs)))
