"""The softmax of DARTS."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from supernet.nn import Mixture
from supernet.train.relaxations._protocol import Given
from supernet.train.values._protocol import Number, check_value, value_of


@dataclass(frozen=True)
class Softmax:
    """Weights softmax(α / T) (DARTS, eq. 2).

    [arXiv 1806.09055](https://arxiv.org/abs/1806.09055).

    Args:
        temperature: The temperature T that logits are divided by, above 0; the smaller, the closer to one option. It
            may change over time, as `Ramp(10, 0.1)`.
    """

    temperature: Number = 1.0

    def __post_init__(self) -> None:
        check_value("The temperature of the softmax", self.temperature, above=0)

    def mixture(self, logits: Tensor, given: Given) -> Mixture:
        """softmax(logits / T) over the options that are allowed; others are not computed."""
        temperature = value_of(self.temperature, given.step)
        return Mixture((given.masked(logits) / temperature).softmax(0), given.allowed)

    def probabilities(self, logits: Tensor) -> Tensor:
        """softmax(logits / T) with a constant T; of one that changes with T = 1."""
        return (logits / (1.0 if callable(self.temperature) else self.temperature)).softmax(0)
