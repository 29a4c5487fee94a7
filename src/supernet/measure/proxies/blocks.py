"""The blocks that a network is a row of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


def blocks_of(module: nn.Module) -> dict[str, nn.Module]:
    """The blocks of a network by name: what its lists hold, down to the first modules that are no lists.

    A list of single layers, such as the convolution and norm of a stem, is one block; a single layer beside blocks
    (a pooling, the classifier) is none.

    >>> block = nn.ModuleDict({"conv": nn.Conv2d(3, 3, 1)})
    >>> stem = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU())
    >>> list(blocks_of(nn.Sequential(stem, nn.ModuleList([block, block]), nn.Flatten())))
    ['0', '1.0', '1.1']
    """
    found = dict(_blocks(module, ""))
    return found if len(found) > 1 else {name: layer for name, layer in module.named_children() if _has_weights(layer)}


def _blocks(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    for key, child in module._modules.items():
        place = f"{name}.{key}".lstrip(".")
        if child is None or not _has_weights(child) or not any(child.children()):
            continue
        is_list = type(child) in (nn.Sequential, nn.ModuleList)
        if is_list and any(any(inner.children()) for inner in child.children()):
            yield from _blocks(child, place)
        else:
            yield place, child


def _has_weights(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


@contextmanager
def features(module: nn.Module) -> Iterator[list[Tensor]]:
    """Inside, what each block returns, in the order in which they run: tensors of three or more dimensions."""
    found: list[Tensor] = []

    def keep(block: nn.Module, given: object, result: object) -> None:
        tensor = result[0] if isinstance(result, tuple | list) and result else result
        if isinstance(tensor, Tensor) and tensor.ndim >= 3:
            found.append(tensor)

    handles = [block.register_forward_hook(keep) for block in dict.fromkeys(blocks_of(module).values())]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
