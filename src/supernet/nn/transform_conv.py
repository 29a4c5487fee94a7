"""A convolution whose smaller kernels are made of the larger ones by learned matrices (OFA)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.conv import ElasticConv2d, centre
from supernet.nn.mutable import Shape, absorbing
from supernet.space import Expr


class TransformConv2d(ElasticConv2d):
    """An `ElasticConv2d` with OFA's kernel transform: (B, c_in, H, W) -> (B, c_out, H', W').

    [arXiv 1908.09791](https://arxiv.org/abs/1908.09791), §3.2, "elastic kernel size". With kernels 3, 5 and 7 a filter
    of 5 × 5 is a matrix (25 × 25) times the centre of the one of 7 × 7, and one of 3 × 3 another (9 × 9) times the
    centre of that. The matrices belong to the layer and are shared by all filters and channels; they begin as the
    identity, so that every kernel is the centre of the largest one until they are trained.

    An extracted subnet has the filters as they come out, so that the matrices are no parameters of it and cost no
    multiply-accumulates. A weight that several architectures share has a gradient through all of them, beyond its
    centre: the laws `training_commutes` and `inactive_gets_no_gradient` (`nn.laws`) do not hold here.

    Args:
        in_channels: Input width, fixed or an expression.
        out_channels: Output width, fixed or an expression.
        kernel_size: Kernel side, an expression with odd values.
        stride: Stride, the same for every architecture.
        dilation: Dilation, the same for every architecture.
        groups: Number of groups. For a depthwise layer pass the expression of its width.
        bias: Whether to add a bias.

    Raises:
        UsageError: a kernel that does not vary, or as in `ElasticConv2d`.

    >>> from supernet.space import Choice
    >>> layer = TransformConv2d(16, 16, Choice("kernel", (3, 5, 7)), groups=16)
    >>> [(name, tuple(matrix.shape)) for name, matrix in layer.named_parameters() if "matrix" in name]
    [('matrix_7to5', (25, 25)), ('matrix_5to3', (9, 9))]
    """

    def __init__(
        self,
        in_channels: Expr | int,
        out_channels: Expr | int,
        kernel_size: Expr,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: Expr | int = 1,
        bias: bool = True,
    ) -> None:
        sides = sorted(map(int, kernel_size.possible()), reverse=True) if isinstance(kernel_size, Expr) else ()
        if len(sides) < 2:
            raise UsageError(
                f"A kernel of {kernel_size} was to be transformed into smaller ones, but it has no other size. Use "
                "ElasticConv2d, or give a Choice of kernels."
            )
        super().__init__(
            in_channels, out_channels, kernel_size, stride=stride, dilation=dilation, groups=groups, bias=bias
        )
        self.sides = tuple(sides)
        for larger, smaller in pairwise(sides):
            self.register_parameter(_matrix(larger, smaller), nn.Parameter(torch.eye(smaller**2)))

    def _smaller(self, weight: Tensor, k: int) -> Tensor:
        if not absorbing():
            return centre(weight, k)
        for larger, smaller in pairwise(self.sides):
            if larger == k:
                break
            flat = centre(weight, smaller).flatten(2)
            filters = flat @ self.get_parameter(_matrix(larger, smaller)).T
            weight = filters.view(*filters.shape[:2], smaller, smaller)
        return weight

    def shapes(self) -> dict[str, Shape]:
        matrices = {_matrix(*sides): (sides[1] ** 2,) * 2 for sides in pairwise(self.sides)}
        return {**super().shapes(), **cast(Any, matrices)}

    def absorbed(self) -> frozenset[str]:
        """The matrices."""
        return frozenset(_matrix(*sides) for sides in pairwise(self.sides))


def _matrix(larger: int, smaller: int) -> str:
    return f"matrix_{larger}to{smaller}"
