"""One option drawn, with the gradient of the soft sample (GDAS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn import Mixture
from supernet.train.relaxations._gumbel import perturbed
from supernet.train.relaxations._protocol import Given
from supernet.train.values._protocol import Number, check_value, value_of


@dataclass(frozen=True)
class GumbelOneHot:
    """Weights one_hot(argmaxₒ (log pₒ + Gₒ)) with the gradient of softmax((log p + G) / τ) (GDAS, eq. 3–7).

    [arXiv 1910.04465](https://arxiv.org/abs/1910.04465).

    Option i is drawn with probability p = softmax(α), and the weights are exactly 0 and 1.

    Args:
        temperature: The temperature τ of the sample whose gradient is taken, above 0. It may change over time, as
            `Ramp(10, 0.1)`.
        run: The options to compute: the `"drawn"` one, and the weights of the others are added as numbers through
            which their logits have a gradient (GDAS, eq. 7); or `"all"`, so that the gradient of every weight is
            exact (straight-through Gumbel-softmax, [arXiv 1611.01144](https://arxiv.org/abs/1611.01144)).
    """

    temperature: Number = 1.0
    run: Literal["drawn", "all"] = "drawn"

    def __post_init__(self) -> None:
        check_value("The temperature of the Gumbel-softmax", self.temperature, above=0)
        if self.run not in ("drawn", "all"):
            raise UsageError(f"Either the 'drawn' option is computed or 'all' are; got {self.run!r}.")

    def mixture(self, logits: Tensor, given: Given) -> Mixture:
        """A one-hot sample over the options that are allowed."""
        noisy = perturbed(logits, given)
        soft = (noisy / value_of(self.temperature, given.step)).softmax(0)
        index = int(noisy.detach().argmax())
        hard = torch.zeros_like(soft)
        hard[index] = 1.0
        return Mixture(hard + (soft - soft.detach()), (index,) if self.run == "drawn" else given.allowed)

    def probabilities(self, logits: Tensor) -> Tensor:
        """softmax(logits): how often each option is drawn, whatever the temperature."""
        return logits.softmax(0)
