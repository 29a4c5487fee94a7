"""What operations do to the axes of tensors, by the operation's name in ATen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from supernet.pretrained.axes import (
    ENTRIES,
    HEAD,
    IMAGE,
    KERNEL,
    REPEATS,
    Axis,
    concat,
    freeze,
    piece,
    product,
    split_product,
    tie,
)
from supernet.pretrained.follower import Follower, UnfollowedError

Rule = Callable[[Follower, Any, Sequence[Any], dict[str, Any], Any], None]

RULES: dict[str, Rule] = {}


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def noted(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, rule))
        return rule

    return noted


def _fixed(size: int, why: str) -> Axis:
    return Axis(size, why)


@_rule("pointwise", "where", "masked_fill", "native_dropout", "hardswish", "glu_jvp", "gelu", "prelu", "_prelu_kernel")
def _pointwise(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    result = out[0] if isinstance(out, tuple) else out
    now.put(result, _broadcast(now, _tensors([*args, *kwargs.values()]), result.shape))


def _broadcast(now: Follower, tensors: Sequence[Tensor], shape: Sequence[int]) -> list[Axis]:
    """The axes of what tensors are broadcast to; those that meet are one."""
    axes: list[Axis] = []
    for back in range(len(shape), 0, -1):
        size = shape[-back]
        found = [now.of(t)[-back] for t in tensors if t.ndim >= back and t.shape[-back] == size]
        for other in found[1:]:
            tie(found[0], other)
        axes.append(found[0] if found else _fixed(size, "it is broadcast"))
    return axes


@_rule(
    *("clone", "contiguous", "_to_copy", "detach", "alias", "lift_fresh", "lift_fresh_copy", "copy", "_softmax"),
    *("_log_softmax", "_safe_softmax", "softmax", "log_softmax", "dropout", "bernoulli", "tril", "triu", "positive"),
    *("fill", "zero_", "fill_", "empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like"),
)
def _same(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    now.put(out, now.of(args[0]))


@_rule("copy_")
def _copied_into(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    _pointwise(now, func, args[:2], {}, out)


@_rule("as_strided")
def _strided(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    if list(out.shape) != [axis.size for axis in now.of(args[0])]:
        raise UnfollowedError
    now.put(out, now.of(args[0]))


@_rule("cumsum")
def _along(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes = now.of(args[0])
    freeze(axes[args[1]], "it is summed up along")
    now.put(out, axes)


@_rule("roll", "flip")
def _moved(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes = now.of(args[0])
    for dim in args[-1] if isinstance(args[-1], list | tuple) else range(len(axes)):
        freeze(axes[dim], "its entries change their places")
    now.put(out, axes)


@_rule("t", "transpose", "permute", "t_", "transpose_", "swapaxes", "movedim", "numpy_T")
def _turned(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes, name = now.of(args[0]), func.overloadpacket.__name__
    order = list(range(len(axes)))
    if name.startswith("t") and len(args) == 1:
        order.reverse()
    elif name.startswith(("transpose", "swapaxes")):
        a, b = args[1] % len(axes), args[2] % len(axes)
        order[a], order[b] = order[b], order[a]
    elif name == "permute":
        order = [dim % len(axes) for dim in args[1]]
    else:
        raise UnfollowedError
    now.put(out, [axes[dim] for dim in order])


@_rule("unsqueeze", "unsqueeze_")
def _unsqueezed(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes, dim = now.of(args[0]), args[1] % out.ndim
    now.put(out, [*axes[:dim], _fixed(1, "it has one entry"), *axes[dim:]])


@_rule("squeeze", "squeeze_")
def _squeezed(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes = now.of(args[0])
    given = range(len(axes)) if len(args) == 1 else args[1] if isinstance(args[1], list | tuple) else [args[1]]
    gone = {dim % len(axes) for dim in given if axes[dim].size == 1}
    now.put(out, [axis for dim, axis in enumerate(axes) if dim not in gone])


@_rule("view", "reshape", "_unsafe_view", "_reshape_alias", "flatten", "view_copy", "unflatten")
def _viewed(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    if func.overloadpacket.__name__ == "view" and not isinstance(args[1], list | tuple):
        _same(now, func, args, kwargs, out)  # another type
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
            found = [_fixed(size, why) for size in sizes]
        for size, axis in zip(sizes, found, strict=True):
            now.reads(size, axis)
        made += found
    now.put(out, made)


@_rule("expand", "expand_copy", "broadcast_to")
def _expanded(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes = now.of(args[0])
    new = out.ndim - len(axes)
    made = [_fixed(size, REPEATS) for size in out.shape[:new]]
    for size, axis in zip(out.shape[new:], axes, strict=True):
        made.append(axis if axis.size == size else _fixed(size, REPEATS))
        now.reads(size, made[-1])
    now.put(out, made)


@_rule("repeat")
def _repeated(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes, repeats = now.of(args[0]), args[1]
    new = out.ndim - len(axes)
    made = [_fixed(size, REPEATS) for size in out.shape[:new]]
    for count, axis in zip(repeats[new:], axes, strict=True):
        made.append(axis if count == 1 else product([_fixed(count, REPEATS), axis]))
    now.put(out, made)


@_rule("cat")
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


@_rule("stack")
def _stacked(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % out.ndim
    held = [now.of(tensor) for tensor in args[0]]
    for axes in held[1:]:
        for one, other in zip(held[0], axes, strict=True):
            tie(one, other)
    now.put(out, [*held[0][:dim], _fixed(len(held), ENTRIES), *held[0][dim:]])


@_rule("select", "unbind")
def _selected(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes = now.of(args[0])
    dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % len(axes)
    freeze(axes[dim], ENTRIES)
    for result in [out] if isinstance(out, Tensor) else out:
        now.put(result, [axis for place, axis in enumerate(axes) if place != dim])


@_rule("slice", "narrow")
def _sliced(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes = list(now.of(args[0]))
    dim = (args[1] if len(args) > 1 else 0) % len(axes)
    size = axes[dim].size
    start = (args[2] if len(args) > 2 else None) or 0
    start = min(max(start + size if start < 0 else start, 0), size)
    step = args[4] if len(args) > 4 else 1
    axes[dim] = _piece(now, axes[dim], start, start + out.shape[dim], step)
    now.put(out, axes)


@_rule("split", "split_with_sizes", "chunk", "split_copy", "split_with_sizes_copy", "unsafe_split", "unsafe_chunk")
def _split(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes = now.of(args[0])
    dim = (args[2] if len(args) > 2 else kwargs.get("dim", 0)) % len(axes)
    start = 0
    for result in out:
        found = _piece(now, axes[dim], start, start + result.shape[dim], 1)
        now.reads(result.shape[dim], found)
        now.put(result, [*axes[:dim], found, *axes[dim + 1 :]])
        start += result.shape[dim]


@_rule("glu")
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
        found = _fixed(stop - start, why)
    return found


@_rule(
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
            made = [_fixed(1, "it has one entry") if dim in gone else axis for dim, axis in enumerate(axes)]
        else:
            made = [axis for dim, axis in enumerate(axes) if dim not in gone]
        now.put(result, made)


@_rule("max", "min", "argmax", "argmin", "topk", "sort")
def _found(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    for axis in now.of(args[0]):
        freeze(axis, "its largest entry is looked for")


@_rule("mm", "bmm", "matmul", "mv", "dot")
def _multiplied(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    one, other = now.of(args[0]), now.of(args[1])
    if len(other) == 1 or len(one) == 1:
        raise UnfollowedError
    tie(one[-1], other[-2])
    for a, b in zip(one[:-2], other[:-2], strict=True):
        tie(a, b)
    now.put(out, [*one[:-1], other[-1]])


@_rule("addmm", "baddbmm")
def _added(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    _multiplied(now, func, args[1:3], {}, out)
    given, made = now.of(args[0]), now.of(out)
    for back in range(1, len(given) + 1):
        if given[-back].size == made[-back].size:
            tie(given[-back], made[-back])


@_rule("linear")
def _linear(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    x, weight = now.of(args[0]), now.of(args[1])
    tie(x[-1], weight[1])
    if len(args) > 2 and args[2] is not None:
        tie(now.of(args[2])[0], weight[0])
    now.put(out, [*x[:-1], weight[0]])


@_rule("convolution", "_convolution", "cudnn_convolution", "mkldnn_convolution", "convolution_overrideable")
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
    spatial = [_fixed(size, IMAGE) for size in out.shape[2:]]
    now.put(out, [x[0], made, *spatial])


@_rule(
    *("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "cudnn_batch_norm"),
    *("_batch_norm_with_update", "_batch_norm_no_update", "batch_norm"),
)
def _batch_normed(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    x = now.of(args[0])
    for tensor in args[1:5]:
        if isinstance(tensor, Tensor):
            tie(x[1], now.of(tensor)[0])
    now.put(out[0] if isinstance(out, tuple | list) else out, x)


@_rule("native_layer_norm", "layer_norm", "rms_norm", "_fused_rms_norm")
def _layer_normed(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    x, sides = now.of(args[0]), len(args[1])
    for tensor in args[2:4]:
        if isinstance(tensor, Tensor):
            for one, other in zip(x[-sides:], now.of(tensor), strict=True):
                tie(one, other)
    now.put(out[0] if isinstance(out, tuple) else out, x)


@_rule("native_group_norm", "group_norm")
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


@_rule(
    *(
        "max_pool2d_with_indices",
        "avg_pool2d",
        "_adaptive_avg_pool2d",
        "adaptive_max_pool2d",
        "mkldnn_adaptive_avg_pool2d",
    ),
    *("max_pool2d", "adaptive_avg_pool2d", "upsample_bilinear2d", "upsample_nearest2d", "upsample_bicubic2d"),
    *("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "avg_pool1d", "max_pool1d_with_indices", "max_pool1d"),
    *("_adaptive_avg_pool3d", "avg_pool3d", "max_pool3d_with_indices", "upsample_linear1d", "pixel_shuffle_"),
)
def _pooled(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    x = now.of(args[0])
    result = out[0] if isinstance(out, tuple) else out
    sides = {"1d": 1, "2d": 2, "3d": 3}[next(end for end in ("1d", "2d", "3d") if end in func.overloadpacket.__name__)]
    spatial = [_fixed(size, IMAGE) for size in result.shape[-sides:]]
    now.put(result, [*x[:-sides], *spatial])


@_rule("constant_pad_nd", "reflection_pad2d", "replication_pad2d")
def _padded(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    made = []
    for size, axis in zip(out.shape, now.of(args[0]), strict=True):
        if axis.size != size:
            freeze(axis, "it is padded")
        made.append(axis if axis.size == size else _fixed(size, "it is padded"))
    now.put(out, made)


@_rule("embedding")
def _embedded(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    weight, places = now.of(args[0]), now.of(args[1])
    freeze(weight[0], "its entries are looked up by number")
    now.put(out, [*places, weight[1]])


@_rule("index_select")
def _index_selected(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    axes, dim = list(now.of(args[0])), args[1]
    freeze(axes[dim], "its entries are looked up by number")
    axes[dim] = now.of(args[2])[0]
    now.put(out, axes)


@_rule("index", "_unsafe_index")
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
    looked = _broadcast(now, [indices[dim] for dim in used], out.shape[used[0] : used[0] + inner])
    now.put(out, [*axes[: used[0]], *looked, *axes[used[-1] + 1 :]])


@_rule("gather", "scatter", "index_put_", "index_put")
def _gathered(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    raise UnfollowedError


@_rule(
    *("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_efficient_attention"),
    *("_scaled_dot_product_flash_attention", "_scaled_dot_product_attention_math", "scaled_dot_product_attention"),
    *("_scaled_dot_product_fused_attention_overrideable", "_scaled_dot_product_cudnn_attention"),
)
def _attended(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    q, k, v = (now.of(tensor) for tensor in args[:3])
    for a, b, c in zip(q[:-2], k[:-2], v[:-2], strict=True):
        tie(b, c)
        tie(a, b if a.size == b.size else product([b, _fixed(a.size // b.size, "so many queries share a key")]))
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


def _tensors(values: Sequence[Any]) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(list(values)) if isinstance(leaf, Tensor)]
