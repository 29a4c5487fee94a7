"""How steady gradients are from batch to batch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from supernet.errors import UsageError
from supernet.measure.proxies._untrained import Untrained


@dataclass(frozen=True)
class ZiCo:
    """ZiCo: Σ over layers of log Σ E|g| / √Var g, g the gradients of a weight in several batches.

    [arXiv 2301.11300](https://arxiv.org/abs/2301.11300), eq. 15.
    """

    def __call__(self, subject: Untrained) -> float:
        """The sum.

        Raises:
            UsageError: there is one batch only.
        """
        if len(subject.batches) < 2:
            raise UsageError("ZiCo compares the gradients of batches; give two or more.")
        rows = [subject.gradients_of_loss(number) for number in range(len(subject.batches))]
        total = 0.0
        for name in rows[0]:
            gradients = torch.stack([row[name].flatten() for row in rows]).double()
            mean, deviation = gradients.abs().mean(0), gradients.std(0, correction=0)
            steady = float((mean / deviation)[deviation > 0].sum())
            total += math.log(steady) if steady > 0 else 0.0
        return total
