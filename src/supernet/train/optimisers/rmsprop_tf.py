"""RMSprop as TensorFlow has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from supernet.train.optimisers._protocol import Groups, check_number, check_per
from supernet.train.optimisers._tensor_by_tensor import TensorByTensor


@dataclass(frozen=True, kw_only=True)
class RMSpropTF:
    """TensorFlow's RMSprop, with ε below the root and a mean square that begins at 1.

    With the gradient g, weight decay included, the mean square s and the buffer b,

        s ← α s + (1 − α) g²,  b ← μ b + η g / √(s + ε),  w ← w − b,  s = 1 and b = 0 at first.

    It differs from torch's, `RMSprop`, where learning rates that were published for it make a difference: ε stands
    below the root, so that it bounds the step where gradients are small; s begins at 1 and not at 0, so that the first
    steps are short; and the buffer holds steps of the learning rates that they were made with. The defaults are those
    with which Google trained MnasNet and EfficientNet.

    Args:
        lr: The learning rate η.
        alpha: Share α of the running mean of squares that is kept from step to step, in [0, 1).
        momentum: Share μ of the buffer that is kept from step to step, in [0, 1).
        eps: The number ε below the root.
        weight_decay: Factor of the weights in the gradient.
        per: Number of images per batch that `lr` is meant for, with which it scales linearly; None: `lr` holds for
            every batch.

    Raises:
        UsageError: a setting outside its range.
    """

    lr: float
    alpha: float = 0.9
    momentum: float = 0.9
    eps: float = 1e-3
    weight_decay: float = 0.0
    per: int | None = None

    def __post_init__(self) -> None:
        check_number("The learning rate lr", self.lr, at_least=0)
        check_number("alpha", self.alpha, at_least=0, below=1)
        check_number("The momentum", self.momentum, at_least=0, below=1)
        check_number("eps", self.eps, above=0)
        check_number("weight_decay", self.weight_decay, at_least=0)
        check_per(self.per)

    def __call__(self, groups: Groups, /) -> torch.optim.Optimizer:
        """A torch optimiser on these groups."""
        return RMSpropBelowRoot(
            groups,
            {
                "lr": self.lr,
                "alpha": self.alpha,
                "momentum": self.momentum,
                "eps": self.eps,
                "weight_decay": self.weight_decay,
            },
        )


class RMSpropBelowRoot(TensorByTensor):
    """The steps of `RMSpropTF`; the state of a tensor is its mean square and its momentum buffer."""

    def advance(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """One step of a tensor."""
        state = self.state[parameter]
        if not state:
            state["square_avg"] = torch.ones_like(parameter)
            state["momentum_buffer"] = torch.zeros_like(parameter)
        gradient = gradient.add(parameter, alpha=group["weight_decay"])
        square, buffer = state["square_avg"], state["momentum_buffer"]
        square.lerp_(gradient.square(), 1 - group["alpha"])
        buffer.mul_(group["momentum"]).addcdiv_(gradient, (square + group["eps"]).sqrt_(), value=group["lr"])
        parameter.sub_(buffer)
