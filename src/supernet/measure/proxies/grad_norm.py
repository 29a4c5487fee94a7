"""The size of the gradient."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.measure.proxies._untrained import Untrained


@dataclass(frozen=True)
class GradNorm:
    """Gradient norm: Σ ‖∂L/∂w‖₂ over the layers, on one batch.

    [arXiv 2101.08134](https://arxiv.org/abs/2101.08134), §3.
    """

    def __call__(self, subject: Untrained) -> float:
        """The sum."""
        return sum(float(gradient.norm()) for gradient in subject.gradients_of_loss().values())
