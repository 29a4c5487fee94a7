"""Views: axes change their order, are split, joined or repeated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from supernet.pretrained.axes import REPEATS, Axis, freeze, product, split_product
from supernet.pretrained.follower import Follower, UnfollowedError
from supernet.pretrained.operations.elementwise import same
from supernet.pretrained.operations.rules import Rules

RULES = Rules()


@RULES.of("as_strided")
def _strided(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    if list(out.shape) != [axis.size for axis in now.of(args[0])]:
        raise UnfollowedError
    now.put(out, now.of(args[0]))


@RULES.of("t", "transpose", "permute", "swapaxes")
def _turned(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes, name = now.of(args[0]), func.overloadpacket.__name__
    order = list(range(len(axes)))
    if name.startswith("t") and len(args) == 1:
        order.reverse()
    elif name.startswith(("transpose", "swapaxes")):
        a, b = args[1] % len(axes), args[2] % len(axes)
        order[a], order[b] = order[b], order[a]
    else:
        order = [dim % len(axes) for dim in args[1]]
    now.put(out, [axes[dim] for dim in order])


@RULES.of("unsqueeze")
def _unsqueezed(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes, dim = now.of(args[0]), args[1] % out.ndim
    now.put(out, [*axes[:dim], Axis(1, "it has one entry"), *axes[dim:]])


@RULES.of("squeeze")
def _squeezed(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes = now.of(args[0])
    given = range(len(axes)) if len(args) == 1 else args[1] if isinstance(args[1], list | tuple) else [args[1]]
    gone = {dim % len(axes) for dim in given if axes[dim].size == 1}
    now.put(out, [axis for dim, axis in enumerate(axes) if dim not in gone])


@RULES.of("view", "reshape", "_unsafe_view", "_reshape_alias", "flatten", "view_copy", "unflatten")
def _viewed(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    if func.overloadpacket.__name__ == "view" and not isinstance(args[1], list | tuple):
        same(now, func, args, kwargs, out)  # another type
        return
    axes, target = now.of(args[0]), list(out.shape)
    made: list[Axis] = []
    source = list(axes)
    while source or len(made) < len(target):
        taken, sizes = source[:1], target[len(made) : len(made) + 1]
        source = source[1:]
        while (a := math.prod(axis.size for axis in taken)) != (b := math.prod(sizes)) or not sizes or not taken:
            if (a < b or not taken) and source:
                taken.append(source.pop(0))
            elif len(made) + len(sizes) < len(target):
                sizes.append(target[len(made) + len(sizes)])
            else:
                break
        if not sizes:
            break  # only axes of one entry are left
        if len(taken) == len(sizes) == 1:
            now.reads(sizes[0], taken[0])
            made.append(taken[0])
            continue
        whole = product(taken)
        found = split_product(whole, sizes)
        if found is None:
            why = f"it is reshaped in {now.place or 'the model'} from {tuple(args[0].shape)} to {tuple(out.shape)}"
            freeze(whole, why)
            found = [Axis(size, why) for size in sizes]
        for size, axis in zip(sizes, found, strict=True):
            now.reads(size, axis)
        made += found
    now.put(out, made)


@RULES.of("expand", "expand_copy", "broadcast_to")
def _expanded(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes = now.of(args[0])
    new = out.ndim - len(axes)
    made = [Axis(size, REPEATS) for size in out.shape[:new]]
    for size, axis in zip(out.shape[new:], axes, strict=True):
        made.append(axis if axis.size == size else Axis(size, REPEATS))
        now.reads(size, made[-1])
    now.put(out, made)


@RULES.of("repeat")
def _repeated(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes, repeats = now.of(args[0]), args[1]
    new = out.ndim - len(axes)
    made = [Axis(size, REPEATS) for size in out.shape[:new]]
    for count, axis in zip(repeats[new:], axes, strict=True):
        made.append(axis if count == 1 else product([Axis(count, REPEATS), axis]))
    now.put(out, made)
