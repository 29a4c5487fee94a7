"""The rate of the dropout behind skip connections (P-DARTS)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from supernet.train.optimisers._protocol import check_number
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class DropoutDecay:
    """A rate that falls while the weights learn alone, and begins anew once the architecture learns too.

    [arXiv 1904.12760](https://arxiv.org/abs/1904.12760), by the authors' code. At step t = 0, 1 … of T, with
    s = t / T, it is p (1 − (t + 1) / T) while s is below `begin`, and p exp(−`fall` (s − `begin`)) from there on. The
    authors count epochs, as `PerEpoch(DropoutDecay(…))` does.

    Args:
        start: p, in [0, 1).
        begin: The share of the phase at which the architecture begins to learn, in [0, 1].
        fall: How fast it falls then; 5 is 0.2 per epoch in a phase of 25.

    Raises:
        UsageError: a number outside its range.
    """

    start: float
    begin: float = 0.4
    fall: float = 5.0

    def __post_init__(self) -> None:
        check_number("The rate of the dropout", self.start, at_least=0, below=1)
        check_number("The share at which the rate begins anew", self.begin, at_least=0, at_most=1)
        check_number("How fast the rate falls", self.fall, at_least=0)

    @property
    def ends(self) -> tuple[float, float]:
        """The largest and the smallest value."""
        return self.start, 0.0

    def __call__(self, step: Step) -> float:
        """The value at this step."""
        if step.progress < self.begin:
            return self.start * (step.total - step.index - 1) / step.total
        return self.start * math.exp(-self.fall * (step.progress - self.begin))
