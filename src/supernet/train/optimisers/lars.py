"""Layer-wise adaptive rates for large batches (LARS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn.table import is_table
from supernet.train.optimisers._protocol import Groups, check_number, check_per
from supernet.train.optimisers._tensor_by_tensor import TensorByTensor


@dataclass(frozen=True, kw_only=True)
class LARS:
    """Stochastic gradient descent whose learning rate is adapted to the norms of every tensor.

    You et al., [arXiv 1708.03888](https://arxiv.org/abs/1708.03888), algorithm 1. With the gradient g, the weights w of
    a tensor, and their decay λ,

        q = c ‖w‖ / (‖g‖ + λ ‖w‖),  b ← μ b + η q (g + λ w),  w ← w − b.

    Biases and the scales and shifts of norms have q = 1 and no decay; so do tensors whose weights or gradient are 0
    throughout, but for the decay.

    Args:
        lr: The learning rate η.
        momentum: Share μ of the buffer that is kept from step to step, in [0, 1).
        weight_decay: Factor λ of the weights in the gradient.
        trust: The trust coefficient c.
        eps: What is added to the denominator of q.
        adapt_vectors: Whether biases, scales and shifts are adapted and decay too.
        per: Number of images per batch that `lr` is meant for, with which it scales linearly; None: `lr` holds for
            every batch.

    Raises:
        UsageError: a setting outside its range.
    """

    lr: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    trust: float = 0.001
    eps: float = 0.0
    adapt_vectors: bool = False
    per: int | None = None

    def __post_init__(self) -> None:
        check_number("The learning rate lr", self.lr, at_least=0)
        check_number("The momentum", self.momentum, at_least=0, below=1)
        check_number("weight_decay", self.weight_decay, at_least=0)
        check_number("The trust coefficient", self.trust, above=0)
        check_number("eps", self.eps, at_least=0)
        if not isinstance(self.adapt_vectors, bool):
            raise UsageError(f"adapt_vectors is {self.adapt_vectors!r}; give True or False.")
        check_per(self.per)

    def __call__(self, groups: Groups, /) -> torch.optim.Optimizer:
        """A torch optimiser on these groups."""
        return LayerwiseSGD(
            groups,
            {
                "lr": self.lr,
                "momentum": self.momentum,
                "weight_decay": self.weight_decay,
                "trust": self.trust,
                "eps": self.eps,
                "adapt_vectors": self.adapt_vectors,
            },
        )


class LayerwiseSGD(TensorByTensor):
    """The steps of `LARS`; the state of a tensor is its momentum buffer."""

    def advance(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """One step of a tensor."""
        factor = 1.0
        vector = parameter.ndim <= 1 or is_table(parameter)
        if group["adapt_vectors"] or not vector:
            decay = group["weight_decay"]
            weights, slope = parameter.norm(), gradient.norm()
            if weights > 0 and slope > 0:
                factor = float(group["trust"] * weights / (slope + decay * weights + group["eps"]))
            gradient = gradient.add(parameter, alpha=decay)
        state = self.state[parameter]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        state["momentum_buffer"].mul_(group["momentum"]).add_(gradient, alpha=group["lr"] * factor)
        parameter.sub_(state["momentum_buffer"])
