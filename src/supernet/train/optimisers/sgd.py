"""Stochastic gradient descent."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from supernet.errors import UsageError
from supernet.train.optimisers._protocol import Groups, check_number, check_per


@dataclass(frozen=True, kw_only=True)
class SGD:
    """Stochastic gradient descent with momentum μ and weight decay λ: b ← μ b + ∇L + λ w, w ← w − η b.

    Args:
        lr: The learning rate η.
        momentum: Share μ of the buffer that is kept from step to step, in [0, 1).
        nesterov: Whether the step looks ahead along the buffer (Nesterov's momentum).
        weight_decay: Factor λ of the weights in the gradient.
        per: Number of images per batch that `lr` is meant for, with which it scales linearly; None: `lr` holds for
            every batch.
        whole: Whether the factor that `per` gives is rounded down to a whole number of at least 1: max(1, ⌊B / per⌋),
            as in the code of AttentiveNAS. Without `per` there is no factor.

    Raises:
        UsageError: a setting outside its range, or Nesterov's momentum without any.
    """

    lr: float
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    per: int | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        check_number("The learning rate lr", self.lr, at_least=0)
        check_number("The momentum", self.momentum, at_least=0, below=1)
        check_number("weight_decay", self.weight_decay, at_least=0)
        check_per(self.per)
        if not isinstance(self.whole, bool):
            raise UsageError(f"whole is {self.whole!r}; give True or False.")
        if self.nesterov and self.momentum == 0:
            raise UsageError("Nesterov's momentum was asked for with momentum=0; give one above 0, or nesterov=False.")

    def __call__(self, groups: Groups, /) -> torch.optim.Optimizer:
        """Torch's SGD on these groups."""
        return torch.optim.SGD(
            groups, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov, weight_decay=self.weight_decay
        )
