"""Adam, with weight decay in the gradient or apart from it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from supernet.errors import UsageError
from supernet.train.optimisers._protocol import Groups, check_number, check_per


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam (Kingma and Ba, [arXiv 1412.6980](https://arxiv.org/abs/1412.6980)), or AdamW.

    Args:
        lr: The learning rate η.
        betas: Shares of the running means of the gradient and of its square that are kept from step to step.
        eps: A small number that is added to the denominator.
        weight_decay: Factor λ of the weights.
        decoupled: Whether the weights shrink by η λ apart from the gradient (AdamW, Loshchilov and Hutter,
            [arXiv 1711.05101](https://arxiv.org/abs/1711.05101)); otherwise λ w is added to the gradient.
        per: Number of images per batch that `lr` is meant for, with which it scales linearly; None: `lr` holds for
            every batch.

    Raises:
        UsageError: a setting outside its range.
    """

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled: bool = False
    per: int | None = None

    def __post_init__(self) -> None:
        check_number("The learning rate lr", self.lr, at_least=0)
        if not isinstance(self.betas, list | tuple) or len(self.betas) != 2:
            raise UsageError(f"The betas of Adam are {self.betas!r}; give two, such as (0.9, 0.999).")
        for beta in self.betas:
            check_number("Each beta of Adam", beta, at_least=0, below=1)
        check_number("eps", self.eps, at_least=0)
        check_number("weight_decay", self.weight_decay, at_least=0)
        check_per(self.per)

    def __call__(self, groups: Groups, /) -> torch.optim.Optimizer:
        """Torch's Adam or AdamW on these groups."""
        kind = torch.optim.AdamW if self.decoupled else torch.optim.Adam
        return kind(groups, lr=self.lr, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay)
