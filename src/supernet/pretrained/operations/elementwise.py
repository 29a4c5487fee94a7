"""What works entry by entry: axes that meet are one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from supernet.pretrained.axes import Axis, tie
from supernet.pretrained.follower import Follower
from supernet.pretrained.operations.rules import Rules

RULES = Rules()


@RULES.of(
    "pointwise", "where", "masked_fill", "native_dropout", "hardswish", "glu_jvp", "gelu", "prelu", "_prelu_kernel"
)
def _pointwise(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    result = out[0] if isinstance(out, tuple) else out
    now.put(result, broadcast(now, _tensors([*args, *kwargs.values()]), result.shape))


def broadcast(now: Follower, tensors: Sequence[Tensor], shape: Sequence[int]) -> list[Axis]:
    """The axes of what tensors are broadcast to; those that meet are one."""
    axes: list[Axis] = []
    for back in range(len(shape), 0, -1):
        size = shape[-back]
        found = [now.of(t)[-back] for t in tensors if t.ndim >= back and t.shape[-back] == size]
        for other in found[1:]:
            tie(found[0], other)
        axes.append(found[0] if found else Axis(size, "it is broadcast"))
    return axes


@RULES.of(
    *("clone", "contiguous", "_to_copy", "detach", "alias", "lift_fresh", "lift_fresh_copy", "_softmax"),
    *("_log_softmax", "_safe_softmax", "softmax", "log_softmax", "dropout", "bernoulli", "tril", "triu", "positive"),
    *("fill", "zero", "empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like"),
)
def same(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    now.put(out, now.of(args[0]))


@RULES.of("copy")
def _copied_into(now: Follower, func: Any, args: Sequence[Any], kwargs: Any, out: Any) -> None:
    _pointwise(now, func, args[:2], {}, out)


def _tensors(values: Sequence[Any]) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(list(values)) if isinstance(leaf, Tensor)]
