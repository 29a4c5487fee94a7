"""The flow of all weights through a network."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace

import torch
from torch import nn

from supernet.data import Batch
from supernet.measure.proxies._untrained import Untrained
from supernet.nn.batch import mapped
from supernet.nn.norm import is_batch_norm


@dataclass(frozen=True)
class SynFlow:
    """SynFlow: log Σ w · ∂R/∂w, R the sum of outputs for an input of ones, with |w| and without batch norms.

    [arXiv 2006.05467](https://arxiv.org/abs/2006.05467), eq. 1; as a score of networks
    [arXiv 2101.08134](https://arxiv.org/abs/2101.08134), eq. 1. The logarithm keeps the order, and keeps deep networks
    finite.
    """

    def __call__(self, subject: Untrained) -> float:
        """The logarithm of the sum; −∞ where nothing flows."""
        module = _without_norms(copy.deepcopy(subject.module)).double()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.abs_()
        first = subject.batches[0]
        ones = Batch(
            mapped(first.x, lambda x: torch.ones_like(x[:1], dtype=torch.double if x.is_floating_point() else x.dtype)),
            mapped(first.y, lambda y: y[:1]),
        )
        plain = replace(subject, module=module)
        found = plain.gradients(plain.logits(ones).sum())
        total = sum(float((plain.values[name] * gradient).abs().sum()) for name, gradient in found.items())
        return math.log(total) if total > 0 else -math.inf


def _without_norms(module: nn.Module) -> nn.Module:
    for name, child in module.named_children():
        if is_batch_norm(child):
            setattr(module, name, nn.Identity())
        else:
            _without_norms(child)
    return module
