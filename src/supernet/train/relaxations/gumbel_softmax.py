"""A soft sample of the options (SNAS)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from supernet.nn import Mixture
from supernet.train.relaxations._gumbel import perturbed
from supernet.train.relaxations._protocol import Given
from supernet.train.values._protocol import Number, check_value, value_of


@dataclass(frozen=True)
class GumbelSoftmax:
    """Weights softmax((log p + G) / λ) with G = −log(−log U) drawn for each option (SNAS, eq. 4).

    [arXiv 1812.09926](https://arxiv.org/abs/1812.09926). They are drawn from the concrete distribution.

    The heaviest option is o with probability p = softmax(α), whatever the temperature. Every candidate is computed.

    Args:
        temperature: The temperature λ, above 0; the smaller, the closer to one option. It may change over time, as
            `Ramp(1, 0.03)`.
    """

    temperature: Number = 1.0

    def __post_init__(self) -> None:
        check_value("The temperature of the Gumbel-softmax", self.temperature, above=0)

    def mixture(self, logits: Tensor, given: Given) -> Mixture:
        """A sample over the options that are allowed; others are not computed."""
        temperature = value_of(self.temperature, given.step)
        return Mixture((perturbed(logits, given) / temperature).softmax(0), given.allowed)

    def probabilities(self, logits: Tensor) -> Tensor:
        """softmax(logits): how often each option is the heaviest."""
        return logits.softmax(0)
