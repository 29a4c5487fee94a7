"""What every layer with choices has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

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
        """What this layer is under the active architecture: a torch module with a copy of the active weights.

        It may hold modules of this layer's own; `Supernet.extract` copies these and makes them plain in turn.
        Modules built here get the mode (train or eval) of this layer.
        """


def copy_into(module: nn.Module, **tensors: Tensor | None) -> nn.Module:
    """Fill parameters and buffers of a freshly built plain layer with copies of the given slices.

    Device and type come from the slices, so the layer can be built with `device="meta"`. A slice of a frozen
    parameter stays frozen. None is passed over.

    Raises:
        ValueError: a tensor of the layer was not given, which leaves it without data.
    """
    for name, value in tensors.items():
        if value is not None:
            copied = value.detach().clone()
            is_parameter = name in module._parameters
            setattr(module, name, nn.Parameter(copied, requires_grad=value.requires_grad) if is_parameter else copied)
    empty = [name for name, value in module.state_dict(keep_vars=True).items() if value.is_meta]
    if empty:
        raise ValueError(f"{type(module).__name__} was built on the meta device and got no data for {empty}.")
    return module
