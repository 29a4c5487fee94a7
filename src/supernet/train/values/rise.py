"""A value that rises with the share of the training that is done."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.train.optimisers._protocol import check_number
from supernet.train.step import Step


@dataclass(frozen=True)
class Rise:
    """A value that rises from 0 along a line and stops one step short of `to`: to · t / T after t of T steps.

    `Ramp(0, to)` has reached its end in the last step; the drop-path of DARTS's final networks has not, and counts in
    epochs: `PerEpoch(Rise(0.2))` is 0.2 · e / E.

    Args:
        to: The value that it would have after the last step.

    Raises:
        UsageError: a number that is not finite.
    """

    to: float

    def __post_init__(self) -> None:
        check_number("The value that another one rises to", self.to)

    @property
    def ends(self) -> tuple[float, float]:
        """The first value, and the one that is not quite reached."""
        return 0.0, self.to

    def __call__(self, step: Step) -> float:
        """The value at this step."""
        return self.to * step.progress
