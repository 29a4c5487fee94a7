"""Proximal gradient steps for a sparse group lasso, with or without Adam's direction (SparseNAS)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.train.optimisers._protocol import Groups, check_number, check_per
from supernet.train.optimisers._tensor_by_tensor import TensorByTensor

EPSILON = 1e-8
"""What is added to Adam's denominator."""


@dataclass(frozen=True, kw_only=True)
class HAPG:
    """Hierarchical accelerated proximal gradient: a tensor is a group g of |g| entries, which may vanish together.

    [arXiv 2007.16112](https://arxiv.org/abs/2007.16112). Minimises L + λ Σ_g [(1 − μ) √|g| ‖A_g‖₂ + μ ‖A_g‖₁]: with
    the direction d at the point y,

        z = y − η d,  u = sign(z) max(|z| − η μ λ, 0),  A' = u max(1 − η (1 − μ) λ √|g| / ‖u‖₂, 0),
        y' = A' + ρ (A' − A),  ρ = min((t − 1) / (t + 2), momentum) in step t.

    d is Adam's (AdamHAPG), or the gradient. The tensor holds y, which is 0 wherever A' is. An entry that is 0 and whose
    gradient is 0, which nothing has run, stays 0.

    Args:
        lr: The learning rate η.
        penalty: λ, the weight of all norms.
        l1_share: μ, in [0, 1]: 1 is the lasso, 0 the group lasso.
        betas: The shares that Adam's running means keep, of the gradient and of its square; None: d is the gradient.
        momentum: The largest factor ρ of the extrapolation, in [0, 1]; 0: none, 1: that of FISTA.
        per: Number of images per batch that `lr` is meant for, with which it scales linearly; None: `lr` holds for
            every batch.

    Raises:
        UsageError: a setting outside its range.
    """

    lr: float
    penalty: float
    l1_share: float = 0.5
    betas: tuple[float, float] | None = (0.5, 0.999)
    momentum: float = 0.9
    per: int | None = None

    def __post_init__(self) -> None:
        check_number("The learning rate lr", self.lr, at_least=0)
        check_number("The penalty", self.penalty, at_least=0)
        check_number("The share of the l1 norm", self.l1_share, at_least=0, at_most=1)
        if self.betas is not None:
            if not isinstance(self.betas, list | tuple) or len(self.betas) != 2:
                raise UsageError(f"The betas of Adam are {self.betas!r}; give two, such as (0.5, 0.999), or None.")
            for beta in self.betas:
                check_number("Each beta of Adam", beta, at_least=0, below=1)
        check_number("The momentum", self.momentum, at_least=0, at_most=1)
        check_per(self.per)

    def __call__(self, groups: Groups, /) -> torch.optim.Optimizer:
        """A torch optimiser on these groups."""
        return ProximalOptimizer(
            groups,
            {
                "lr": self.lr,
                "penalty": self.penalty,
                "l1_share": self.l1_share,
                "betas": self.betas,
                "momentum": self.momentum,
            },
        )


def sparse_group(values: Tensor, l1: float, l2: float) -> Tensor:
    """argmin ½ ‖x − values‖² + l1 ‖x‖₁ + l2 ‖x‖₂ over x: entries shrink first, then the group that they are.

    >>> sparse_group(torch.tensor([4.0, -0.5, 4.0]), 1.0, 0.0).tolist()
    [3.0, -0.0, 3.0]
    >>> sparse_group(torch.tensor([3.0, 4.0]), 0.0, 2.5).tolist()
    [1.5, 2.0]
    """
    entries = values.sign() * (values.abs() - l1).clamp_min(0)
    norm = torch.linalg.vector_norm(entries)
    shrunk: Tensor = entries * (1 - l2 / norm.clamp_min(torch.finfo(norm.dtype).tiny)).clamp_min(0)
    return shrunk


class ProximalOptimizer(TensorByTensor):
    """The steps of `HAPG`; `previous` in the state of a tensor is A."""

    def advance(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """One step of a tensor."""
        point, state = parameter, self.state[parameter]
        if not state:
            state["step"], state["previous"] = torch.tensor(0.0), point.clone()
        state["step"] += 1
        count, share = float(state["step"]), group["lr"] * group["penalty"]
        idle = (point == 0) & (gradient == 0)
        moved = point - group["lr"] * self._direction(gradient, state, count, group["betas"])
        l2 = share * (1 - group["l1_share"]) * math.sqrt(point.numel())
        after = sparse_group(moved, share * group["l1_share"], l2).masked_fill(idle, 0)
        factor = min((count - 1) / (count + 2), group["momentum"])
        point.copy_((after + factor * (after - state["previous"])).masked_fill(after == 0, 0))
        state["previous"] = after

    def _direction(
        self, gradient: Tensor, state: dict[str, Any], count: float, betas: tuple[float, float] | None
    ) -> Tensor:
        if betas is None:
            return gradient
        for name, beta, value in zip(("mean", "square"), betas, (gradient, gradient.square()), strict=True):
            state.setdefault(name, torch.zeros_like(gradient)).lerp_(value, 1 - beta)
        mean, square = (state[name] / (1 - beta**count) for name, beta in zip(("mean", "square"), betas, strict=True))
        direction: Tensor = mean / (square.sqrt() + EPSILON)
        return direction
