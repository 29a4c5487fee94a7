"""The sensitivity of the loss to weights."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.measure.proxies._untrained import Untrained


@dataclass(frozen=True)
class SNIP:
    """SNIP: Σ |w · ∂L/∂w| on one batch.

    [arXiv 1810.02340](https://arxiv.org/abs/1810.02340), eq. 5; as a score of networks
    [arXiv 2101.08134](https://arxiv.org/abs/2101.08134), eq. 1.
    """

    def __call__(self, subject: Untrained) -> float:
        """The sum."""
        weights, found = subject.values, subject.gradients_of_loss()
        return sum(float((weights[name] * gradient).abs().sum()) for name, gradient in found.items())
