"""Normalisation with elastic width and a stated policy for its statistics."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeAlias, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable, Shape, copy_into
from supernet.nn.sizes import check_size, check_width
from supernet.nn.slices import SLICE, active_slice, refuse_slices
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
    return ElasticBatchNorm2d(channels, affine=affine, statistics=statistics, momentum=momentum, eps=eps)


def check_statistics(statistics: str) -> None:
    """Raise a UsageError for an unknown statistics policy."""
    if statistics not in get_args(Statistics):
        raise UsageError(f"The statistics policy {statistics!r} does not exist; use one of {get_args(Statistics)}.")


class _ElasticBatchNorm(Mutable):
    """What elastic BatchNorms of every number of dimensions have in common; see `ElasticBatchNorm2d`."""

    _kind: ClassVar[type[nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d]]

    training: bool
    weight: Tensor
    bias: Tensor
    num_features: int
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    momentum: float | None
    eps: float
    affine: bool
    track_running_stats: bool

    def __init__(
        self,
        num_features: Expr | int,
        *,
        affine: bool = True,
        statistics: Statistics = "calibrate",
        momentum: float | None = 0.1,
        eps: float = 1e-5,
    ) -> None:
        check_statistics(statistics)
        check_size("width", num_features)
        init: Any = self._kind.__init__
        init(
            self,
            largest_value(num_features),
            affine=affine,
            eps=eps,
            momentum=0.0 if statistics == "calibrate" else momentum,
            track_running_stats=statistics != "batch",
        )
        self.width, self.momentum_alone = num_features, momentum

    def forward(self, input: Tensor) -> Tensor:
        c = self.selection.value(self.width)
        check_width(input.shape[1], c, "batch norm")
        if c < self.num_features:
            refuse_slices(self.selection, "batch norm")
        mean, var = self.running_mean, self.running_var
        if self.training and (self.momentum == 0.0 or not self.track_running_stats):
            mean = var = None  # 0 · NaN is NaN: averages that are to be left alone are not shown to the kernel
        of_the_batch = self.training or mean is None
        if of_the_batch and input.numel() == c:
            raise UsageError(
                f"Batch norm was to take statistics of a single value per channel, from an input of shape "
                f"{tuple(input.shape)}. Give batches of two images or more, or larger images."
            )
        return F.batch_norm(
            input,
            _prefix(mean, c),
            _prefix(var, c),
            _prefix(self.weight, c),
            _prefix(self.bias, c),
            of_the_batch,
            0.0 if mean is None or not self.training else self._batch_weight(),
            self.eps,
        )

    def _batch_weight(self) -> float:
        """Count the batch; its weight in the running averages."""
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        return 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width,)

    def shapes(self) -> dict[str, Shape]:
        per_channel = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (self.width,))
        return {**per_channel, "num_batches_tracked": ()}

    def plain(self) -> nn.Module:
        c = self.selection.value(self.width)
        layer = self._kind(
            c,
            eps=self.eps,
            momentum=self.momentum_alone,
            affine=self.affine,
            track_running_stats=self.track_running_stats,
            device="meta",
        )
        return copy_into(
            layer,
            weight=_prefix(self.weight, c),
            bias=_prefix(self.bias, c),
            running_mean=_prefix(self.running_mean, c),
            running_var=_prefix(self.running_var, c),
            num_batches_tracked=self.num_batches_tracked,
        )

    def extra_repr(self) -> str:
        return f"{self.width}, affine={self.affine}, track_running_stats={self.track_running_stats}"


class ElasticBatchNorm2d(_ElasticBatchNorm, nn.BatchNorm2d):  # type: ignore[misc]
    """BatchNorm over the first c of C channels: (B, c, H, W) -> (B, c, H, W).

    Taken out by `Supernet.extract` it tracks statistics with `momentum` again when trained further (except
    under `"batch"`): a subnet alone has no averages to protect.

    Args:
        num_features: Width, fixed or an expression.
        affine: Whether to learn scale and shift.
        statistics: Policy for running statistics, see `Statistics`.
        momentum: Weight of a new batch in the running statistics under `"track"`; None for the plain average
            of all batches, which fits statistics collected for one architecture at a time.
        eps: A small number that is added to the variance.

    Raises:
        UsageError: an unknown policy, or a width below 1.
    """

    _kind = nn.BatchNorm2d


class ElasticBatchNorm1d(_ElasticBatchNorm, nn.BatchNorm1d):  # type: ignore[misc]
    """BatchNorm over the first c of C features: (B, c) or (B, c, T) -> the same.

    Arguments and errors are those of `ElasticBatchNorm2d`.
    """

    _kind = nn.BatchNorm1d


class ElasticBatchNorm3d(_ElasticBatchNorm, nn.BatchNorm3d):  # type: ignore[misc]
    """BatchNorm over the first c of C channels: (B, c, D, H, W) -> (B, c, D, H, W).

    Arguments and errors are those of `ElasticBatchNorm2d`.
    """

    _kind = nn.BatchNorm3d


class ElasticGroupNorm(nn.GroupNorm, Mutable):
    """GroupNorm over the first c of C channels: (B, c, …) -> (B, c, …).

    The number of channels of a group stays, so that a narrower network normalises the same channels together; the
    number of groups follows the width. A single group of all channels is a LayerNorm over channels and places together,
    with a scale and a shift per channel.

    Args:
        group_size: Number of channels of a group, which divides every width; None: one group of all channels.
        num_channels: Width, fixed or an expression.
        affine: Whether to learn scale and shift.
        eps: A small number that is added to the variance.

    Raises:
        UsageError: a size below 1, or a width that groups of this size do not fill.
    """

    def __init__(
        self, group_size: int | None, num_channels: Expr | int, *, affine: bool = True, eps: float = 1e-5
    ) -> None:
        if group_size is not None:
            check_size("size of a group", group_size)
        odd = [width for width in check_size("width", num_channels) if width % (group_size or 1)]
        if odd:
            raise UsageError(
                f"Groups of {group_size} channels do not fill the widths {odd} of {num_channels}; choose widths that "
                "are multiples of the size of a group."
            )
        widest = largest_value(num_channels)
        groups = 1 if group_size is None else widest // group_size
        nn.GroupNorm.__init__(self, groups, widest, eps=eps, affine=affine)
        self.width, self.group_size = num_channels, group_size

    def _groups(self, width: int) -> int:
        return 1 if self.group_size is None else width // self.group_size

    def forward(self, input: Tensor) -> Tensor:
        c = self.selection.value(self.width)
        check_width(input.shape[1], c, "group norm")
        if c < self.num_channels:
            refuse_slices(self.selection, "group norm")
        weight, bias = _prefix(self.weight, c), _prefix(self.bias, c)
        return F.group_norm(input, self._groups(c), weight, bias, self.eps)

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width,)

    def shapes(self) -> dict[str, Shape]:
        return {"weight": (self.width,), "bias": (self.width,)}

    def plain(self) -> nn.Module:
        c = self.selection.value(self.width)
        layer = nn.GroupNorm(self._groups(c), c, eps=self.eps, affine=self.affine, device="meta")
        return copy_into(layer, weight=_prefix(self.weight, c), bias=_prefix(self.bias, c))

    def extra_repr(self) -> str:
        return f"{self.width}, group_size={self.group_size}, affine={self.affine}"


class ElasticLayerNorm(nn.LayerNorm, Mutable):
    """LayerNorm over the first c of C features: (…, c) -> (…, c).

    The setting `slice` takes other entries than the first, see `supernet.nn.slices`.

    Args:
        features: Width, fixed or an expression.
        eps: A small number that is added to the variance.
        affine: Whether to learn scale and shift.

    Raises:
        UsageError: a width below 1.
    """

    settings = (SLICE,)

    def __init__(self, features: Expr | int, *, eps: float = 1e-5, affine: bool = True) -> None:
        check_size("width", features)
        nn.LayerNorm.__init__(self, largest_value(features), eps=eps, elementwise_affine=affine)
        self.width = features

    def _slice(self, tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else active_slice(self.selection, tensor, self.selection.value(self.width))

    def forward(self, input: Tensor) -> Tensor:
        c = self.selection.value(self.width)
        check_width(input.shape[-1], c, "layer norm")
        return F.layer_norm(input, (c,), self._slice(self.weight), self._slice(self.bias), self.eps)

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width,)

    def shapes(self) -> dict[str, Shape]:
        return {"weight": (self.width,), "bias": (self.width,)}

    def plain(self) -> nn.Module:
        c = self.selection.value(self.width)
        layer = nn.LayerNorm(c, eps=self.eps, elementwise_affine=self.elementwise_affine, device="meta")
        return copy_into(layer, weight=self._slice(self.weight), bias=self._slice(self.bias))

    def extra_repr(self) -> str:
        return f"{self.width}, eps={self.eps}"


def active_channels(norm: nn.Module, channels: int) -> slice | Tensor:
    """Where in the buffers of a BatchNorm the statistics of its active channels are: a prefix, or positions (c,)."""
    told: Any = getattr(norm, "active_entries", None)
    return slice(channels) if told is None else told()


def is_batch_norm(module: nn.Module) -> bool:
    """Whether a module keeps BatchNorm statistics of any dimensionality."""
    return isinstance(module, nn.modules.batchnorm._BatchNorm)


def _prefix(tensor: Tensor | None, c: int) -> Tensor | None:
    return tensor if tensor is None or len(tensor) == c else tensor[:c]
