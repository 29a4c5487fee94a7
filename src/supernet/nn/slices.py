"""Which entries of a weight an elastic width uses: the first, the last, or as many from any place on."""

from __future__ import annotations

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn.selection import Selection

SLICE = "slice"
"""The setting that says where the active entries of every width begin. 0, the default: at the first, a prefix. From
there to 1: after that share of the full width, going on at the first entry where the end is reached (the cyclic slices
of ViTAS). −1: so that they end with the last, a suffix (BCNet)."""


def active_slice(selection: Selection, tensor: Tensor, *sizes: int, unit: int = 1) -> Tensor:
    """The entries of a weight that the leading sizes use, by the setting `slice`; a view where they are in one piece.

    Layers of one full width begin at the same entry, so that what one of them makes fits the next.

    Args:
        selection: What the layer reads its decisions from.
        tensor: The full weight.
        sizes: The active size of each of its first dimensions; the others are whole.
        unit: Entries of the first dimension that belong together, such as the 3 rows of a query, key and value.

    Raises:
        UsageError: the setting is neither −1 nor from 0 to below 1.
    """
    place = selection.setting(SLICE, 0.0)
    for axis, size in enumerate(sizes):
        whole = tensor.shape[axis]
        if size == whole:
            continue
        if place == 0:
            tensor = tensor.narrow(axis, 0, size)
        elif place == -1:
            tensor = tensor.narrow(axis, whole - size, size)
        else:
            tensor = _around(tensor, axis, size, _begin(place, whole, unit if axis == 0 else 1))
    return tensor


def refuse_slices(selection: Selection, layer: str) -> None:
    """Say that a layer knows prefixes alone.

    Raises:
        UsageError: the setting `slice` asks for others.
    """
    if selection.setting(SLICE, 0.0) != 0:
        raise UsageError(
            f"An elastic {layer} uses the first entries of its weights, and cannot follow the setting slice="
            f"{selection.setting(SLICE, 0.0):g}. Train by prefixes (slice=0), or build the network without this layer."
        )


def _begin(place: float, whole: int, unit: int) -> int:
    if not 0 < place < 1:
        raise UsageError(
            f"The setting slice is {place:g}; give 0 for the first entries, −1 for the last ones, or the share of the "
            "width, below 1, after which they begin."
        )
    return int(place * (whole // unit) + 1e-9) * unit


def _around(tensor: Tensor, axis: int, size: int, begin: int) -> Tensor:
    whole = tensor.shape[axis]
    if begin + size <= whole:
        return tensor.narrow(axis, begin, size)
    return torch.cat([tensor.narrow(axis, begin, whole - begin), tensor.narrow(axis, 0, begin + size - whole)], axis)
