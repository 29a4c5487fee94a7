"""A factor every few epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.train.move import Path
from supernet.train.optimisers._protocol import check_number
from supernet.train.schedules._protocol import check_share
from supernet.train.step import Step


@dataclass(frozen=True)
class StepDecay:
    """The learning rate is multiplied by a factor again and again: max(floor, factor^⌊(e − begin) / epochs⌋).

    After e epochs, of which the part that is done of the present one counts.

    MnasNet and those that follow it decay by 0.97 every 2.4 epochs, within an epoch too.

    Args:
        factor: What it is multiplied by, above 0 and at most 1. DARTS trains its networks for ImageNet with 0.97.
        epochs: The epochs from one multiplication to the next.
        begin: The epochs before the decay begins.
        floor: The factor on the learning rate that remains.

    Raises:
        UsageError: a value outside its range.
    """

    factor: float = 0.97
    epochs: float = 1
    begin: int = 0
    floor: float = 0.0

    def __post_init__(self) -> None:
        check_number("The factor on the learning rate", self.factor, above=0, at_most=1)
        check_number("The number of epochs between two multiplications", self.epochs, above=0)
        check_number("The number of epochs before the decay", self.begin, at_least=0)
        check_share("The floor of the learning rate", self.floor)

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        steps = max(0, step.index - self.begin * step.steps_per_epoch)
        return max(self.floor, float(self.factor ** (steps // (step.steps_per_epoch * self.epochs))))
