"""Which numbers among a module's attributes say how large its tensors are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import nn

from supernet.nn.layout import Layout

_TORCH = {
    "in_features": 1,
    "out_features": 0,
    "num_features": 0,
    "num_channels": 0,
    "embedding_dim": 1,
}
"""By attribute of torch's layers the axis of the weight that it counts."""

_SIZES = ("dim", "width", "channel", "head", "hidden", "feature", "inner", "embed", "plane", "size")
_PLACES = ("idx", "index", "_id", "number", "stage")
"""In names of attributes that say which one a layer is: never a size, however equal."""
_OTHERS = ("image", "img", "patch", "window", "kernel", "vocab", "position", "token", "grid", "length")


def numbers_of(
    module: nn.Module, layouts: Mapping[str, tuple[Layout, ...]], read: Sequence[tuple[int, Layout]]
) -> dict[str, Any]:
    """By attribute the size that it stands for, or a tuple of them.

    Those of torch's layers are known. Of other modules an attribute is taken for a size that varies if it is equal to
    one by which the module's own code has read an axis; of several, those whose names say so. Whether that was right is
    tried afterwards.

    Args:
        module: The module.
        layouts: By the name of its tensors how their axes are made up.
        read: Sizes by which its code has read axes.
    """
    found = dict(_of_torch(module, layouts))
    varying = {size: layout for size, layout in read if layout.varies}
    if isinstance(module, nn.modules.conv._ConvNd | nn.Linear | nn.MultiheadAttention):
        return found
    equal: dict[int, list[str]] = {}
    for name, value in vars(module).items():
        if name in found or name.startswith("_") or name == "training" or any(word in name for word in _PLACES):
            continue
        if type(value) is int and value in varying:
            equal.setdefault(value, []).append(name)
        elif (
            type(value) is tuple and all(type(part) is int for part in value) and any(part in varying for part in value)
        ):
            found[name] = tuple(varying[part].width if part in varying else part for part in value)
    for value, names in equal.items():
        for name in _likely(names):
            found[name] = varying[value].width
    return found


def _likely(names: Sequence[str]) -> list[str]:
    """Of attributes with one value those whose names say that they are sizes of a layer."""
    said = [n for n in names if any(word in n for word in _SIZES) and not any(word in n for word in _OTHERS)]
    return said or list(names)


def _of_torch(module: nn.Module, layouts: Mapping[str, tuple[Layout, ...]]) -> Iterator[tuple[str, Any]]:
    if "weight" not in layouts:
        return
    weight = layouts["weight"]
    if isinstance(module, nn.modules.conv._ConvNd):
        yield from _of_convolution(module, *weight[:2])
    elif isinstance(module, nn.LayerNorm | nn.RMSNorm):
        yield "normalized_shape", tuple(layout.width for layout in weight)
    else:
        for name, axis in _TORCH.items():
            if axis < len(weight) and weight[axis].varies and vars(module).get(name) == weight[axis].size:
                yield name, weight[axis].width


def _of_convolution(module: nn.modules.conv._ConvNd, first: Layout, second: Layout) -> Iterator[tuple[str, Any]]:
    given, made = ("out_channels", "in_channels") if module.transposed else ("in_channels", "out_channels")
    yield made, first.width
    if module.groups == 1:
        yield given, second.width
    elif second.size == 1:  # depthwise: as many groups as channels
        groups: Any = first.width if module.groups == first.size else first.width // (first.size // module.groups)
        yield "groups", groups
        yield given, groups
    else:
        yield given, second.width * module.groups
