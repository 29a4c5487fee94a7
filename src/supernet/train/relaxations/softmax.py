"""The softmax of DARTS."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from supernet.errors import UsageError
from supernet.nn import Mixture
from supernet.train.move import Step


@dataclass(frozen=True)
class Softmax:
    """Weights softmax(α / T) (DARTS, eq. 2).

    [arXiv 1806.09055](https://arxiv.org/abs/1806.09055).

    Args:
        temperature: The temperature T that logits are divided by, above 0; the smaller, the closer to one option.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise UsageError(f"The temperature of the softmax is {self.temperature}; it must be positive.")

    def mixture(self, logits: Tensor, step: Step) -> Mixture:
        """softmax(logits / T)."""
        return Mixture(self.probabilities(logits))

    def probabilities(self, logits: Tensor) -> Tensor:
        """softmax(logits / T)."""
        return (logits / self.temperature).softmax(0)
