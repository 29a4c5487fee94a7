"""Normalisation with elastic width and a stated policy for its statistics."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable, copy_into
from supernet.space import Expr, largest_value

Statistics: TypeAlias = Literal["track", "batch", "calibrate"]
"""What BatchNorm uses outside training. `"track"`: running averages collected over all subnets that were trained
(a compromise that fits none). `"batch"`: the statistics of the evaluated batch (NAS-Bench-201's protocol).
`"calibrate"`: training leaves the running averages alone; they are computed for one subnet at a time before it is
judged or exported (SPOS, AttentiveNAS)."""


def batch_norm(
    channels: int,
    *,
    affine: bool = True,
    statistics: Statistics = "calibrate",
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> nn.BatchNorm2d:
    """A BatchNorm2d of fixed width under a statistics policy: (B, C, H, W) -> (B, C, H, W).

    Raises:
        UsageError: an unknown policy.
    """
    check_statistics(statistics)
    return nn.BatchNorm2d(
        channels,
        affine=affine,
        eps=eps,
        momentum=0.0 if statistics == "calibrate" else momentum,
        track_running_stats=statistics != "batch",
    )


def check_statistics(statistics: str) -> None:
    """Raise a UsageError for an unknown statistics policy."""
    if statistics not in get_args(Statistics):
        raise UsageError(f"The statistics policy {statistics!r} does not exist; use one of {get_args(Statistics)}.")


class ElasticBatchNorm2d(nn.BatchNorm2d, Mutable):
    """BatchNorm over the first c of C channels: (B, c, H, W) -> (B, c, H, W).

    Args:
        num_features: Width, fixed or an expression.
        affine: Whether to learn scale and shift.
        statistics: Policy for running statistics, see `Statistics`.
        momentum: Weight of a new batch in the running statistics under `"track"`.
        eps: Added to the variance.
    """

    def __init__(
        self,
        num_features: Expr | int,
        *,
        affine: bool = True,
        statistics: Statistics = "calibrate",
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> None:
        check_statistics(statistics)
        nn.BatchNorm2d.__init__(
            self,
            largest_value(num_features),
            affine=affine,
            eps=eps,
            momentum=0.0 if statistics == "calibrate" else momentum,
            track_running_stats=statistics != "batch",
        )
        self.width = num_features

    def forward(self, input: Tensor) -> Tensor:
        c = self.selection.value(self.width)
        tracking = self.training and self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        if tracking and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # cumulative average
                momentum = 1.0 / float(self.num_batches_tracked)
        return F.batch_norm(
            input,
            None if self.running_mean is None else self.running_mean[:c],
            None if self.running_var is None else self.running_var[:c],
            None if not self.affine else self.weight[:c],
            None if not self.affine else self.bias[:c],
            self.training or not self.track_running_stats,
            momentum,
            self.eps,
        )

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width,)

    def plain(self) -> nn.Module:
        c = self.selection.value(self.width)
        layer = nn.BatchNorm2d(
            c,
            eps=self.eps,
            momentum=self.momentum,
            affine=self.affine,
            track_running_stats=self.track_running_stats,
            device="meta",
        )
        slices = {"running_mean": self.running_mean, "running_var": self.running_var}
        if self.affine:
            slices |= {"weight": self.weight, "bias": self.bias}
        sliced = {name: None if value is None else value[:c] for name, value in slices.items()}
        return copy_into(layer, **sliced, num_batches_tracked=self.num_batches_tracked)

    def extra_repr(self) -> str:
        return f"{self.width}, affine={self.affine}, track_running_stats={self.track_running_stats}"


class ElasticLayerNorm(nn.LayerNorm, Mutable):
    """LayerNorm over the first c of C features: (…, c) -> (…, c).

    Args:
        features: Width, fixed or an expression.
        eps: Added to the variance.
        affine: Whether to learn scale and shift.
    """

    def __init__(self, features: Expr | int, *, eps: float = 1e-5, affine: bool = True) -> None:
        nn.LayerNorm.__init__(self, largest_value(features), eps=eps, elementwise_affine=affine)
        self.width = features

    def _slices(self, c: int) -> tuple[Tensor | None, Tensor | None]:
        if not self.elementwise_affine:
            return None, None
        return self.weight[:c], self.bias[:c]

    def forward(self, input: Tensor) -> Tensor:
        c = self.selection.value(self.width)
        return F.layer_norm(input, (c,), *self._slices(c), self.eps)

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width,)

    def plain(self) -> nn.Module:
        c = self.selection.value(self.width)
        layer = nn.LayerNorm(c, eps=self.eps, elementwise_affine=self.elementwise_affine, device="meta")
        weight, bias = self._slices(c)
        return copy_into(layer, weight=weight, bias=bias)

    def extra_repr(self) -> str:
        return f"{self.width}, eps={self.eps}"


def is_batch_norm(module: nn.Module) -> bool:
    """Whether a module keeps BatchNorm statistics of any dimensionality."""
    return isinstance(module, nn.modules.batchnorm._BatchNorm)
