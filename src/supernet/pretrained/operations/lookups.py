"""Entries that are looked up by number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supernet.pretrained.axes import freeze
from supernet.pretrained.follower import Follower, UnfollowedError
from supernet.pretrained.operations.elementwise import broadcast
from supernet.pretrained.operations.rules import Rules

RULES = Rules()


@RULES.of("embedding")
def _embedded(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    weight, places = now.of(args[0]), now.of(args[1])
    freeze(weight[0], "its entries are looked up by number")
    now.put(out, [*places, weight[1]])


@RULES.of("index_select")
def _index_selected(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes, dim = list(now.of(args[0])), args[1]
    freeze(axes[dim], "its entries are looked up by number")
    axes[dim] = now.of(args[2])[0]
    now.put(out, axes)


@RULES.of("index", "_unsafe_index")
def _indexed(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes, indices = now.of(args[0]), list(args[1])
    if any(index is not None and index.dtype.is_floating_point for index in indices):
        raise UnfollowedError
    used = [dim for dim, index in enumerate(indices) if index is not None]
    if used != list(range(used[0], used[0] + len(used))):
        raise UnfollowedError("by lists of indices apart")
    for dim in used:
        freeze(axes[dim], "its entries are looked up by number")
    rest = len(axes) - used[-1] - 1
    inner = out.ndim - used[0] - rest
    looked = broadcast(now, [indices[dim] for dim in used], out.shape[used[0] : used[0] + inner])
    now.put(out, [*axes[: used[0]], *looked, *axes[used[-1] + 1 :]])
