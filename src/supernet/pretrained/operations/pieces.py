"""Tensors that are put side by side, and pieces that are cut out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from supernet.pretrained.axes import ENTRIES, Axis, concat, freeze, piece, tie
from supernet.pretrained.follower import Follower
from supernet.pretrained.operations.rules import Rules

RULES = Rules()


@RULES.of("cat")
def _joined(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    tensors = [tensor for tensor in args[0] if tensor.numel() or tensor.ndim > 1]
    dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % out.ndim
    held = [now.of(tensor) for tensor in tensors]
    made = []
    for place in range(out.ndim):
        if place == dim:
            made.append(concat([axes[place] for axes in held]))
            continue
        for axes in held[1:]:
            tie(held[0][place], axes[place])
        made.append(held[0][place])
    now.put(out, made)


@RULES.of("stack")
def _stacked(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % out.ndim
    held = [now.of(tensor) for tensor in args[0]]
    for axes in held[1:]:
        for one, other in zip(held[0], axes, strict=True):
            tie(one, other)
    now.put(out, [*held[0][:dim], Axis(len(held), ENTRIES), *held[0][dim:]])


@RULES.of("select", "unbind")
def _selected(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes = now.of(args[0])
    dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % len(axes)
    freeze(axes[dim], ENTRIES)
    for result in [out] if isinstance(out, Tensor) else out:
        now.put(result, [axis for place, axis in enumerate(axes) if place != dim])


@RULES.of("slice", "narrow")
def _sliced(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes = list(now.of(args[0]))
    dim = (args[1] if len(args) > 1 else 0) % len(axes)
    size = axes[dim].size
    start = (args[2] if len(args) > 2 else None) or 0
    start = min(max(start + size if start < 0 else start, 0), size)
    step = args[4] if len(args) > 4 else 1
    axes[dim] = _piece(now, axes[dim], start, start + out.shape[dim], step)
    now.put(out, axes)


@RULES.of("split", "split_with_sizes", "chunk", "split_copy", "split_with_sizes_copy", "unsafe_split", "unsafe_chunk")
def _split(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes = now.of(args[0])
    dim = (args[2] if len(args) > 2 else kwargs.get("dim", 0)) % len(axes)
    start = 0
    for result in out:
        found = _piece(now, axes[dim], start, start + result.shape[dim], 1)
        now.reads(result.shape[dim], found)
        now.put(result, [*axes[:dim], found, *axes[dim + 1 :]])
        start += result.shape[dim]


@RULES.of("glu")
def _glu(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    """One half gates the other: an entry of one goes with that of the other."""
    axes = now.of(args[0])
    dim = (args[1] if len(args) > 1 else kwargs.get("dim", -1)) % len(axes)
    half = out.shape[dim]
    value, gate = _piece(now, axes[dim], 0, half, 1), _piece(now, axes[dim], half, 2 * half, 1)
    tie(value, gate)
    now.reads(half, value)
    now.put(out, [*axes[:dim], value, *axes[dim + 1 :]])


def _piece(now: Follower, axis: Axis, start: int, stop: int, step: int) -> Axis:
    if (start, stop, step) == (0, axis.size, 1):
        return axis
    found = piece(axis, start, stop) if step == 1 else None
    if found is None:
        why = ENTRIES
        freeze(axis, why)
        found = Axis(stop - start, why)
    return found
