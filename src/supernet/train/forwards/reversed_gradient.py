"""A tensor as it is, whose gradient is turned around."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return -gradient


def reversed_gradient(x: Tensor) -> Tensor:
    """x, behind which gradients change sign: what made x climbs where what reads it descends.

    Ganin and Lempitsky 2015, [arXiv 1409.7495](https://arxiv.org/abs/1409.7495), section 3.

    >>> x = torch.ones(2, requires_grad=True)
    >>> (3 * reversed_gradient(x)).sum().backward()
    >>> x.grad.tolist()
    [-3.0, -3.0]
    """
    found: Tensor = _Reversed.apply(x)
    return found
