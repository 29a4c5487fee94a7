"""Which entries of its weights an architecture uses."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn.extraction import plain_module
from supernet.nn.selection import Target
from supernet.nn.supernet import Supernet

_FIRST = 2.0**40  # numbers of entries begin here, far from any constant of a layer


def active_entries(net: Supernet, target: Target, *, settings: Mapping[str, float] | None = None) -> dict[str, Tensor]:
    """By the names of `net.state_dict()`, which entries an architecture uses: a mask of the shape of each tensor.

    Found by taking the architecture out of a copy whose entries are numbers, all different, and looking which of them
    come out; so it holds for whatever slices layers take. Buffers of whole numbers, such as counters, are used by all.

    Args:
        net: The supernet, which is left as it is.
        target: The architecture.
        settings: Numbers that layers read, such as `slice`, see `Supernet.active`.

    Raises:
        UsageError: a layer makes weights of others instead of taking them, such as a kernel transform, so that no entry
            is its own.

    >>> from torch import nn
    >>> from supernet import Choice, ElasticConv2d
    >>> width = Choice("width", (1, 2))
    >>> net = Supernet(nn.Sequential(ElasticConv2d(1, width, 1), ElasticConv2d(width, 1, 1)))
    >>> next(iter(active_entries(net, net.space.smallest()).values())).flatten().tolist()
    [True, False]
    """
    numbered = copy.deepcopy(net).cpu()
    numbered.calibrated_for = None
    first, places = _FIRST, dict[int, tuple[int, int]]()
    count = 0
    for module in numbered.modules():
        for kind in (module._parameters, module._buffers):
            for tensor in kind.values():
                if tensor is None or not tensor.is_floating_point() or id(tensor) in places:
                    continue
                size = tensor.numel()
                tensor.data = torch.arange(count, count + size, dtype=torch.float64).add_(first).view(tensor.shape)
                places[id(tensor)] = (count, size)
                count += size
    with numbered.active(target, settings=settings):
        module = plain_module(numbered.module, numbered.selection, numbered.space.choices)
    used = torch.zeros(count, dtype=torch.bool)
    for tensor in module.state_dict().values():
        if not tensor.is_floating_point():
            continue
        numbers = tensor.double().flatten()
        numbers = numbers[numbers.abs() >= first / 2] - first
        place = numbers.round().long()
        if not bool(((numbers == place) & (place >= 0) & (place < count)).all()):
            raise UsageError(
                f"{type(net.module).__name__} makes weights of others, such as by a kernel transform, so that which "
                "entries an architecture uses cannot be said. Take a network whose layers use slices of their weights."
            )
        used[place] = True
    found = {}
    for name, tensor in numbered.state_dict(keep_vars=True).items():
        start, size = places.get(id(tensor), (0, 0))
        mask = used[start : start + size] if size else torch.ones(tensor.numel(), dtype=torch.bool)
        found[name] = mask.view(tensor.shape)
    return found
