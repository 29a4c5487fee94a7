"""What every layer with choices has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from supernet.nn.selection import Selection
from supernet.space import Expr


class Mutable(ABC):
    """Mixin of a module whose computation depends on choices.

    A new kind of elastic layer derives from a torch module and this class, reads its sizes with
    `self.selection.value(expr)` in `forward`, and implements two methods. `Supernet` finds it in the module
    tree, collects its choices and hands it the shared selection.
    """

    selection: Selection = Selection()  # nothing is ever active here: an unwrapped layer explains itself

    @abstractmethod
    def depends_on(self) -> tuple[Expr | int, ...]:
        """The sizes and choices that shape this layer; constants are ignored."""

    @abstractmethod
    def plain(self) -> nn.Module:
        """A torch module with a copy of the weights that the active architecture uses."""


def copy_into(module: nn.Module, **tensors: Tensor | None) -> nn.Module:
    """Fill parameters and buffers of a freshly built plain layer with copies of the given slices."""
    with torch.no_grad():
        for name, value in tensors.items():
            target = getattr(module, name)
            if value is not None and target is not None:
                setattr(module, name, _like(target, value))
    return module


def _like(target: Tensor, value: Tensor) -> Tensor:
    copied = value.detach().clone(memory_format=torch.contiguous_format)
    return nn.Parameter(copied) if isinstance(target, nn.Parameter) else copied
