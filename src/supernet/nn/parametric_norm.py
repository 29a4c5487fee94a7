"""Parametric normalisation: a learned centre in the place of the mean (FedSup)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable, Shape, copy_into
from supernet.nn.sizes import check_size, check_width
from supernet.nn.slices import SLICE, active_slice
from supernet.space import Expr, largest_value


class ParametricNorm2d(nn.Module):
    """y = γ (x − α) / RMS(x − α) + β, by channel: (B, C, H, W) -> (B, C, H, W).

    [arXiv 2206.01366](https://arxiv.org/abs/2206.01366), "parametric normalization". The root of the mean square is
    taken over batch and places, and α is learned, so that no statistics of the data are kept or sent.

    What it computes of an image depends on the batch in evaluation too: there is no other scale than that of the batch
    at hand. A single image is normalised by its own places alone, and gives other results than within a batch.

    Args:
        channels: Number of channels C.
        eps: A small number that is added to the root mean square.
    """

    def __init__(self, channels: int, *, eps: float = 1e-8, device: torch.device | str | None = None) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels, device=device))
        self.bias = nn.Parameter(torch.zeros(channels, device=device))
        self.centre = nn.Parameter(torch.zeros(channels, device=device))

    def forward(self, x: Tensor) -> Tensor:
        return _normalised(x, self.weight, self.bias, self.centre, self.eps)

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, eps={self.eps:g}"


class ElasticParametricNorm2d(nn.Module, Mutable):
    """`ParametricNorm2d` over the first c of C channels: (B, c, H, W) -> (B, c, H, W).

    The setting `slice` takes other channels than the first, see `supernet.nn.slices`.

    Args:
        channels: Width, fixed or an expression.
        eps: A small number, not below 0, that is added to the root mean square; the released code has 1e-8.

    Attributes:
        weight: γ (C,), which begins at 1.
        bias: β (C,), which begins at 0.
        centre: α (C,), which begins at 0.

    Raises:
        UsageError: a width below 1, or a negative `eps`.
    """

    settings = (SLICE,)

    def __init__(self, channels: Expr | int, *, eps: float = 1e-8) -> None:
        super().__init__()
        check_size("width", channels)
        if not eps >= 0:
            raise UsageError(f"eps={eps} was to be added to a root mean square; give a number from 0 up.")
        whole = largest_value(channels)
        self.width, self.eps = channels, eps
        self.weight = nn.Parameter(torch.ones(whole))
        self.bias = nn.Parameter(torch.zeros(whole))
        self.centre = nn.Parameter(torch.zeros(whole))

    def _active(self) -> tuple[Tensor, Tensor, Tensor]:
        c = self.selection.value(self.width)
        weight, bias, centre = (
            active_slice(self.selection, tensor, c) for tensor in (self.weight, self.bias, self.centre)
        )
        return weight, bias, centre

    def forward(self, input: Tensor) -> Tensor:
        check_width(input.shape[1], self.selection.value(self.width), "parametric norm")
        return _normalised(input, *self._active(), self.eps)

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width,)

    def shapes(self) -> dict[str, Shape]:
        return dict.fromkeys(("weight", "bias", "centre"), (self.width,))

    def plain(self) -> nn.Module:
        weight, bias, centre = self._active()
        layer = ParametricNorm2d(len(weight), eps=self.eps, device="meta")
        return copy_into(layer, weight=weight, bias=bias, centre=centre)

    def extra_repr(self) -> str:
        return f"{self.width}, eps={self.eps:g}"


def _normalised(x: Tensor, weight: Tensor, bias: Tensor, centre: Tensor, eps: float) -> Tensor:
    # Of a channel that is its centre everywhere, the norm has the gradient 0, and the root of a mean square NaN.
    shifted = x - centre[:, None, None]
    count = x.shape[0] * x.shape[2] * x.shape[3]
    rms: Tensor = torch.linalg.vector_norm(shifted, dim=(0, 2, 3), keepdim=True) * count**-0.5
    return weight[:, None, None] * (shifted / (rms + eps)) + bias[:, None, None]
