"""A moving average of the weights in a part (mean teachers, momentum encoders)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from supernet.nn import Supernet
from supernet.train.context import Context
from supernet.train.values._protocol import Number, check_value, value_of


@dataclass(frozen=True)
class AverageInto:
    """θ′ ← d θ′ + (1 − d) θ for all parameters of a copy of the supernet; its buffers are its own.

    Args:
        part: The name of the part, a `CopyOfNet`.
        decay: d, which may change over time. In the first steps it is at most 1 − 1 / (t + 1) after t steps, so that
            the initial weights are soon forgotten.
    """

    part: str
    decay: Number = 0.999

    def __post_init__(self) -> None:
        check_value("The decay of the average", self.decay, at_least=0, at_most=1)

    @torch.no_grad()
    def __call__(self, context: Context) -> None:
        """Take in the weights of this step."""
        done = context.step.done + 1  # this step too
        decay = min(value_of(self.decay, context.step), 1 - 1 / (done + 1))
        average = context.step.part(self.part, Supernet)
        torch._foreach_lerp_(list(average.parameters()), list(context.net.parameters()), 1 - decay)
