"""What works along an axis: sums, means, extremes, shifts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supernet.pretrained.axes import Axis, freeze
from supernet.pretrained.follower import Follower
from supernet.pretrained.operations.rules import Rules

RULES = Rules()


@RULES.of("cumsum")
def _along(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes = now.of(args[0])
    freeze(axes[args[1]], "it is summed up along")
    now.put(out, axes)


@RULES.of("roll", "flip")
def _moved(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes = now.of(args[0])
    for dim in args[-1] if isinstance(args[-1], list | tuple) else range(len(axes)):
        freeze(axes[dim], "its entries change their places")
    now.put(out, axes)


@RULES.of(
    *("mean", "sum", "amax", "amin", "var", "std", "var_mean", "logsumexp", "linalg_vector_norm", "prod", "any", "all")
)
def _reduced(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes, name = now.of(args[0]), func.overloadpacket.__name__
    place = 2 if name == "linalg_vector_norm" else 1
    dims = kwargs.get("dim", args[place] if len(args) > place else None)
    if isinstance(dims, bool) or dims is None or dims == []:
        dims = list(range(len(axes)))
    gone = {dim % len(axes) for dim in (dims if isinstance(dims, list | tuple) else [dims])}
    for result in out if isinstance(out, tuple) else (out,):
        if result.ndim == len(axes):
            made = [Axis(1, "it has one entry") if dim in gone else axis for dim, axis in enumerate(axes)]
        else:
            made = [axis for dim, axis in enumerate(axes) if dim not in gone]
        now.put(result, made)


@RULES.of("max", "min", "argmax", "argmin", "topk", "sort")
def _found(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    for axis in now.of(args[0]):
        freeze(axis, "its largest entry is looked for")
