"""Products of matrices, convolutions and attention: what they sum over is one dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from supernet.pretrained.axes import HEAD, IMAGE, KERNEL, Axis, freeze, product, split_product, tie
from supernet.pretrained.follower import Follower, UnfollowedError
from supernet.pretrained.operations.rules import Rules

RULES = Rules()


@RULES.of("mm", "bmm", "matmul", "mv", "dot")
def _multiplied(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    one, other = now.of(args[0]), now.of(args[1])
    if len(other) == 1 or len(one) == 1:
        raise UnfollowedError
    tie(one[-1], other[-2])
    for a, b in zip(one[:-2], other[:-2], strict=True):
        tie(a, b)
    now.put(out, [*one[:-1], other[-1]])


@RULES.of("addmm", "baddbmm")
def _added(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    _multiplied(now, func, args[1:3], {}, out)
    given, made = now.of(args[0]), now.of(out)
    for back in range(1, len(given) + 1):
        if given[-back].size == made[-back].size:
            tie(given[-back], made[-back])


@RULES.of("linear")
def _linear(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    x, weight = now.of(args[0]), now.of(args[1])
    tie(x[-1], weight[1])
    if len(args) > 2 and args[2] is not None:
        tie(now.of(args[2])[0], weight[0])
    now.put(out, [*x[:-1], weight[0]])


@RULES.of("convolution", "_convolution", "cudnn_convolution", "mkldnn_convolution", "convolution_overrideable")
def _convolved(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    x, weight, bias, transposed, groups = now.of(args[0]), now.of(args[1]), args[2], args[6], args[8]
    channels, (first, second) = x[1], weight[:2]
    for axis in weight[2:]:
        freeze(axis, KERNEL)
    if groups == 1:
        given, made = (second, first) if not transposed else (first, second)
        tie(channels, given)
    else:
        per_group = channels.size // groups
        if transposed:
            raise UnfollowedError("transposed in groups")
        if per_group == 1:
            # Depthwise: each channel is a group of its own, and there are as many groups as channels.
            out_parts = split_product(first, [groups, first.size // groups])
            if out_parts is None:
                raise UnfollowedError("depthwise over a concatenation")
            tie(channels, out_parts[0])
            made = first
        else:
            count = Axis(groups, "a convolution has this many groups")
            tie(channels, product([count, second]))
            parts = split_product(first, [groups, first.size // groups])
            if parts is None:
                raise UnfollowedError("groups of a concatenation")
            tie(parts[0], count)
            made = first
    if bias is not None:
        tie(now.of(bias)[0], made)
    spatial = [Axis(size, IMAGE) for size in out.shape[2:]]
    now.put(out, [x[0], made, *spatial])


@RULES.of(
    *("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_efficient_attention"),
    *("_scaled_dot_product_flash_attention", "_scaled_dot_product_attention_math", "scaled_dot_product_attention"),
    *("_scaled_dot_product_fused_attention_overrideable", "_scaled_dot_product_cudnn_attention"),
)
def _attended(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    q, k, v = (now.of(tensor) for tensor in args[:3])
    for a, b, c in zip(q[:-2], k[:-2], v[:-2], strict=True):
        tie(b, c)
        tie(a, b if a.size == b.size else product([b, Axis(a.size // b.size, "so many queries share a key")]))
    tie(q[-1], k[-1])
    for axis in (q[-1], v[-1]):
        freeze(axis, HEAD)
    tie(k[-2], v[-2])
    mask = kwargs.get("attn_mask", next((t for t in args[3:] if isinstance(t, Tensor)), None))
    if mask is not None:
        for axis, other in zip(reversed(now.of(mask)), (k[-2], *reversed(q[:-1])), strict=False):
            if axis.size == other.size:
                tie(axis, other)
    now.put(out[0] if isinstance(out, tuple) else out, [*q[:-1], v[-1]])
