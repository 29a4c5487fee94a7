"""A moving average of the weights that a path uses, and of no others (Π-NAS)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from supernet.errors import UsageError


@contextmanager
def averaging(average: nn.Module, source: nn.Module, decay: float, *, taken: set[int] | None = None) -> Iterator[None]:
    """Inside, each layer of `average` takes in the weights of its counterpart before it runs: θ′ ← d θ′ + (1 − d) θ.

    So a pass moves the parameters that it uses, whole tensors, once each, and leaves all others as they are. A layer
    counts as used once it is called; the parameters of `nn.MultiheadAttention` go with it.

    Args:
        average: The module whose parameters move.
        source: A module of the same structure.
        decay: d in [0, 1].
        taken: The ids of parameters that have moved already and shall not move again; it grows. None: none yet.

    Raises:
        UsageError: the modules are not of one structure.
    """
    theirs = dict(source.named_modules())
    handles, moved = [], set[int]() if taken is None else taken
    try:
        for name, layer in average.named_modules():
            deep = isinstance(layer, nn.MultiheadAttention)
            mine = list(layer.parameters(recurse=deep))
            others = list(theirs[name].parameters(recurse=deep)) if name in theirs else []
            if [p.shape for p in mine] != [p.shape for p in others]:
                raise UsageError(
                    f"{name or 'The network'} was to follow its counterpart, whose parameters have other shapes. "
                    "Average into a copy of the network that is trained."
                )
            if mine:
                handles.append(layer.register_forward_pre_hook(partial(_follow, mine, others, decay, moved)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _follow(mine: list[nn.Parameter], others: list[nn.Parameter], decay: float, moved: set[int], *_: Any) -> None:
    new = [(one, other) for one, other in zip(mine, others, strict=True) if id(one) not in moved]
    moved.update(id(one) for one, _ in new)
    if new:
        with torch.no_grad():
            torch._foreach_lerp_([one for one, _ in new], [other.detach() for _, other in new], 1 - decay)
