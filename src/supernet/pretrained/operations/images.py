"""What changes the sides of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supernet.pretrained.axes import IMAGE, Axis, freeze
from supernet.pretrained.follower import Follower
from supernet.pretrained.operations.rules import Rules

RULES = Rules()


@RULES.of(
    *(
        "max_pool2d_with_indices",
        "avg_pool2d",
        "_adaptive_avg_pool2d",
        "adaptive_max_pool2d",
        "mkldnn_adaptive_avg_pool2d",
    ),
    *("max_pool2d", "adaptive_avg_pool2d", "upsample_bilinear2d", "upsample_nearest2d", "upsample_bicubic2d"),
    *("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "avg_pool1d", "max_pool1d_with_indices", "max_pool1d"),
    *("_adaptive_avg_pool3d", "avg_pool3d", "max_pool3d_with_indices", "upsample_linear1d"),
)
def _pooled(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    x = now.of(args[0])
    result = out[0] if isinstance(out, tuple) else out
    sides = {"1d": 1, "2d": 2, "3d": 3}[next(end for end in ("1d", "2d", "3d") if end in func.overloadpacket.__name__)]
    spatial = [Axis(size, IMAGE) for size in result.shape[-sides:]]
    now.put(result, [*x[:-sides], *spatial])


@RULES.of("constant_pad_nd", "reflection_pad2d", "replication_pad2d")
def _padded(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    made = []
    for size, axis in zip(out.shape, now.of(args[0]), strict=True):
        if axis.size != size:
            freeze(axis, "it is padded")
        made.append(axis if axis.size == size else Axis(size, "it is padded"))
    now.put(out, made)
