"""A factor every few epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.train.move import Path, Step
from supernet.train.optimisers._protocol import check_number


@dataclass(frozen=True)
class StepDecay:
    """The learning rate is multiplied by a factor again and again: factor^⌊e / epochs⌋ after e epochs.

    MnasNet and those that follow it decay by 0.97 every 2.4 epochs, within an epoch too.

    Args:
        factor: What it is multiplied by, above 0 and at most 1. DARTS trains its networks for ImageNet with 0.97.
        epochs: The epochs from one multiplication to the next.

    Raises:
        UsageError: a value outside its range.
    """

    factor: float = 0.97
    epochs: float = 1

    def __post_init__(self) -> None:
        check_number("The factor on the learning rate", self.factor, above=0, at_most=1)
        check_number("The number of epochs between two multiplications", self.epochs, above=0)

    def __call__(self, step: Step, paths: Sequence[Path]) -> float:
        return float(self.factor ** (step.index // (step.steps_per_epoch * self.epochs)))
