"""The gradient of the largest subnet without what contradicts the others (NASViT)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from supernet.errors import UsageError
from supernet.train.combines._protocol import Gradients
from supernet.train.optimisers._protocol import check_number


@dataclass(frozen=True, kw_only=True)
class ProjectLargest:
    """The sum of all gradients, that of the first path projected where it contradicts those of the others.

    NASViT ([OpenReview](https://openreview.net/forum?id=Qaw16njk6L), §4.1, as its released code has it). With g₁ the
    gradient of the first path, the largest subnet, and g₂ the sum of the others', per tensor

        a = clamp(−⟨g₂, g₁⟩ / (‖g₂‖² + 1e-6), 0, limit),   g = g₁ + (1 + a) · g₂.

    Where the two have an obtuse angle and a stays below `limit`, g₁ + a · g₂ is orthogonal to g₂: what the largest
    subnet asks for does the others no harm, to first order.

    Args:
        begin: The share of the training, or of the phase, after which gradients are projected; before it they are
            added. The released code has 101 of 400 epochs.
        limit: The largest a.
        clip_norm: The largest norm of g₂ over all tensors, also before `begin`; None: any.

    Raises:
        UsageError: a value outside its range.
    """

    begin: float = 101 / 400
    limit: float = 2.0
    clip_norm: float | None = 1.0

    def __post_init__(self) -> None:
        check_number("begin, a share of the training,", self.begin, at_least=0, at_most=1)
        check_number("The limit of the projection", self.limit, above=0)
        if self.clip_norm is not None:
            check_number("clip_norm of the other subnets (None for none)", self.clip_norm, above=0)

    def weight(self, paths: int) -> float:
        return 1.0

    def join(self, gradients: Sequence[Gradients], progress: float) -> Gradients:
        if len(gradients) < 2:
            raise UsageError(
                "The gradient of the largest subnet is projected by those of others, but the move has a single path "
                "that learns. Take a sampler of several, such as Sandwich(2)."
            )
        first, *others = gradients
        rest: Gradients = [_sum(found) for found in zip(*others, strict=True)]
        present = [gradient for gradient in rest if gradient is not None]
        if self.clip_norm is not None and present:
            norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(present)))
            torch._foreach_mul_(present, (self.clip_norm / (norm + 1e-6)).clamp(max=1.0))
        if progress >= self.begin:
            for one, other in zip(first, rest, strict=True):
                if one is not None and other is not None:
                    contradiction = -(other * one).sum() / (other.square().sum() + 1e-6)
                    other.mul_(1 + contradiction.clamp(0, self.limit))
        return [_sum(pair) for pair in zip(first, rest, strict=True)]


def _sum(gradients: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    present = [gradient for gradient in gradients if gradient is not None]
    return torch.stack(present).sum(0) if present else None
