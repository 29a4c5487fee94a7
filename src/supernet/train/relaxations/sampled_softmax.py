"""A softmax over a few options that are drawn (DenseNAS)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn import Mixture
from supernet.train.relaxations._gumbel import perturbed
from supernet.train.relaxations._protocol import Given
from supernet.train.values._protocol import Number, check_value, value_of


@dataclass(frozen=True)
class SampledSoftmax:
    """Weights softmax(α / T) over options that are drawn without replacement by softmax(α); others do not run.

    DenseNAS, [arXiv 1906.09607](https://arxiv.org/abs/1906.09607), §3.4.

    Args:
        count: How many options are drawn; where fewer are allowed, all of them.
        temperature: The temperature T of the weights, above 0, which may change over time. Draws have none.

    Raises:
        UsageError: no option is drawn, or the temperature is not above 0.
    """

    count: int = 2
    temperature: Number = 1.0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"A softmax over {self.count} drawn options was asked for; draw at least 1.")
        check_value("The temperature of the softmax", self.temperature, above=0)

    def mixture(self, logits: Tensor, given: Given) -> Mixture:
        """The weights of those that were drawn; 0 for the others."""
        open_to = len(logits) if given.allowed is None else len(given.allowed)
        # The largest of Gumbel-perturbed logits are a draw without replacement.
        run = sorted(perturbed(logits.detach(), given).topk(min(self.count, open_to)).indices.tolist())
        weights = (logits[run] / value_of(self.temperature, given.step)).softmax(0)
        places = torch.tensor(run, device=logits.device)
        return Mixture(torch.zeros_like(logits).index_put((places,), weights), tuple(run))

    def probabilities(self, logits: Tensor) -> Tensor:
        """softmax(logits), by which options are drawn."""
        return logits.softmax(0)
