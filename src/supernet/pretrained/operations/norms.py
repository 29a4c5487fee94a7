"""Normalisations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from supernet.pretrained.axes import freeze, split_product, tie
from supernet.pretrained.follower import Follower, UnfollowedError
from supernet.pretrained.operations.rules import Rules

RULES = Rules()


@RULES.of(
    *("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "cudnn_batch_norm"),
    *("_batch_norm_with_update", "_batch_norm_no_update", "batch_norm"),
)
def _batch_normed(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    x = now.of(args[0])
    for tensor in args[1:5]:
        if isinstance(tensor, Tensor):
            tie(x[1], now.of(tensor)[0])
    now.put(out[0] if isinstance(out, tuple | list) else out, x)


@RULES.of("native_layer_norm", "layer_norm", "rms_norm", "_fused_rms_norm")
def _layer_normed(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    x, sides = now.of(args[0]), len(args[1])
    for tensor in args[2:4]:
        if isinstance(tensor, Tensor):
            for one, other in zip(x[-sides:], now.of(tensor), strict=True):
                tie(one, other)
    now.put(out[0] if isinstance(out, tuple) else out, x)


@RULES.of("native_group_norm", "group_norm")
def _group_normed(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    x = now.of(args[0])
    native = func.overloadpacket.__name__ == "native_group_norm"
    groups = args[6] if native else args[1]
    weights = args[1:3] if native else args[2:4]
    for tensor in weights:
        if isinstance(tensor, Tensor):
            tie(x[1], now.of(tensor)[0])
    if groups > 1:
        parts = split_product(x[1], [groups, x[1].size // groups])
        if parts is None:
            raise UnfollowedError("groups of a concatenation")
        freeze(parts[0], "a group norm has this many groups")
    now.put(out[0] if isinstance(out, tuple) else out, x)
