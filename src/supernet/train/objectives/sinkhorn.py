"""Entropy-regularised optimal transport between two clouds of points, in the log domain."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinkhorn(
    x: Tensor, y: Tensor, *, epsilon: float = 1.0, iterations: int = 100, tolerance: float = 0.1
) -> tuple[Tensor, Tensor]:
    """The cost Σ π C of moving one cloud into the other, and the plan π by which it is moved.

    Cuturi 2013, [arXiv 1306.0895](https://arxiv.org/abs/1306.0895). π is the plan of least Σ π C − ε H(π) among those
    whose rows add up to 1 / N and whose columns add up to 1 / M, where C is the squared Euclidean distance. With
    potentials u and v it is exp((u + v − C) / ε), and each iteration makes the rows right, then the columns:

        u ← ε log(1 / N) − ε logsumexp((v − C) / ε),    v ← ε log(1 / M) − ε logsumexp((u − C) / ε).

    The gradient goes through all iterations.

    Args:
        x: The first cloud (N, D).
        y: The second cloud (M, D).
        epsilon: ε, in the unit of the cost; the smaller, the nearer to the cost without entropy, and the more
            iterations it takes.
        iterations: The most iterations.
        tolerance: The change Σ |Δu| in an iteration below which it was the last; 0: all are done.

    Returns:
        The cost, a scalar, and the plan (N, M).

    >>> cost, plan = sinkhorn(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [0.0]]), epsilon=0.01)
    >>> round(float(cost), 4), plan.round(decimals=3).tolist()
    (0.0, [[0.0, 0.5], [0.5, 0.0]])
    """
    cost = (x[:, None] - y[None]).square().sum(2)
    rows, columns = (-math.log(count) for count in cost.shape)
    u, v = cost.new_zeros(len(x)), cost.new_zeros(len(y))
    for _ in range(iterations):
        before = u
        u = epsilon * (rows - torch.logsumexp((v - cost) / epsilon, 1))
        v = epsilon * (columns - torch.logsumexp((u[:, None] - cost) / epsilon, 0))
        if tolerance and float((u - before).detach().abs().sum()) < tolerance:
            break
    plan = ((u[:, None] + v - cost) / epsilon).exp()
    return (plan * cost).sum(), plan
