"""Mixtures from a Dirichlet distribution (DrNAS)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.nn import Mixture
from supernet.train.relaxations._protocol import Given

LEAST = 1e-6
"""The smallest concentration: that of a very negative logit would round to 0."""


@dataclass(frozen=True)
class Dirichlet:
    """Weights θ ~ Dir(ELU(x) + 1), with the gradient of the sample to the logits x (DrNAS).

    [arXiv 2006.10355](https://arxiv.org/abs/2006.10355). Options that may not be taken have no weight, and the others
    are Dirichlet distributed with what is left of the concentration: a sample over all options, made to sum to 1 again,
    would be too.
    """

    def mixture(self, logits: Tensor, given: Given) -> Mixture:
        """A sample over the options that are allowed; others are not computed."""
        allowed = given.allowed
        kept = logits if allowed is None else logits[list(allowed)]
        with given.seeded():
            sample = torch.distributions.Dirichlet(concentration(kept).cpu()).rsample().to(logits)
        if allowed is not None:
            sample = logits.new_zeros(len(logits)).index_put((torch.tensor(allowed, device=logits.device),), sample)
        return Mixture(sample, allowed)

    def probabilities(self, logits: Tensor) -> Tensor:
        """The mean of the distribution (O,), whose largest entry is that of the logits."""
        found = concentration(logits)
        return found / found.sum()


def concentration(logits: Tensor) -> Tensor:
    """ELU(x) + 1: exp(x) below 0, and 1 + x above.

    >>> concentration(torch.tensor([-100.0, 0.0, 2.0]))
    tensor([1.0000e-06, 1.0000e+00, 3.0000e+00])
    """
    return (F.elu(logits) + 1).clamp_min(LEAST)
