"""RMSprop."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from supernet.train.optimisers._protocol import Groups, check_number, check_per


@dataclass(frozen=True, kw_only=True)
class RMSprop:
    """Gradients divided by the root of a running mean of their squares, then momentum.

    Args:
        lr: The learning rate η.
        alpha: Share of the running mean of squares that is kept from step to step, in [0, 1).
        momentum: Share of the buffer that is kept from step to step, in [0, 1).
        eps: A small number that is added to the denominator, outside the root.
        weight_decay: Factor λ of the weights in the gradient.
        per: Number of images per batch that `lr` is meant for, with which it scales linearly; None: `lr` holds for
            every batch.

    Raises:
        UsageError: a setting outside its range.
    """

    lr: float
    alpha: float = 0.99
    momentum: float = 0.9
    eps: float = 1e-8
    weight_decay: float = 0.0
    per: int | None = None

    def __post_init__(self) -> None:
        check_number("The learning rate lr", self.lr, at_least=0)
        check_number("alpha", self.alpha, at_least=0, below=1)
        check_number("The momentum", self.momentum, at_least=0, below=1)
        check_number("eps", self.eps, at_least=0)
        check_number("weight_decay", self.weight_decay, at_least=0)
        check_per(self.per)

    def __call__(self, groups: Groups, /) -> torch.optim.Optimizer:
        """Torch's RMSprop on these groups."""
        return torch.optim.RMSprop(
            groups,
            lr=self.lr,
            alpha=self.alpha,
            eps=self.eps,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
        )
