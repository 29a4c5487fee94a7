"""How differently a network answers to different inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.measure.proxies._untrained import Untrained


@dataclass(frozen=True)
class JaCov:
    """Jacobian covariance: −Σ log(σ + k) + 1 / (σ + k), σ the eigenvalues of a correlation.

    It is that of ∂Σ logits/∂x between the examples of one batch (Mellor et al., first version of
    [arXiv 2006.04647](https://arxiv.org/abs/2006.04647)); all 0 where the output does not depend on the input.

    Args:
        k: What is added to each eigenvalue.
    """

    k: float = 1e-5

    def __call__(self, subject: Untrained) -> float:
        """The score.

        Raises:
            UsageError: an input that has no gradient, such as words.
        """
        batch = subject.batches[0]
        if not isinstance(batch.x, torch.Tensor) or not batch.x.is_floating_point():
            raise UsageError("The Jacobian covariance is of inputs in one real tensor; leave it out for this data.")
        x = batch.x.detach().clone().requires_grad_(True)
        [found] = torch.autograd.grad(subject.logits(Batch(x, batch.y)).sum(), x, allow_unused=True)
        jacobian = torch.zeros_like(x) if found is None else found
        with np.errstate(invalid="ignore"):
            correlation = np.corrcoef(jacobian.flatten(1).double().cpu().numpy())
        sigma = np.linalg.eigvalsh(np.nan_to_num(correlation))
        return float(-np.sum(np.log(sigma.clip(0) + self.k) + 1 / (sigma.clip(0) + self.k)))
