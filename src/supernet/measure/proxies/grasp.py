"""The change of the gradient's norm as weights go."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from supernet.measure.proxies._untrained import Untrained


@dataclass(frozen=True)
class GraSP:
    """GraSP: −Σ w · (H g), g the gradient and H the Hessian of the loss of one batch.

    [arXiv 2002.07376](https://arxiv.org/abs/2002.07376), eq. 8; as a score of networks
    [arXiv 2101.08134](https://arxiv.org/abs/2101.08134), eq. 1.
    """

    def __call__(self, subject: Untrained) -> float:
        """The sum."""
        found = subject.gradients(subject.loss(subject.batches[0]), create_graph=True)
        total = torch.stack([(gradient.detach() * gradient).sum() for gradient in found.values()]).sum()
        curved = subject.gradients(total)
        return -sum(float((subject.values[name] * each).sum()) for name, each in curved.items())
