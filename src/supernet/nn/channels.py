"""Fixed widths with a name, so that channels can be taken out of all layers that share them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from supernet.nn.mutable import Mutable
from supernet.space import Expr


class Channels(int):
    """A fixed width that knows its name: elastic layers that are given the same one share their channels.

    Training may take channels out, repeat them or sort them (`train.Rewriter`): filters of one layer, statistics and
    scales of the next, inputs of those behind.

    Args:
        name: The name of the dimension; layers with equal names share it.
        size: The number of channels.

    >>> from supernet.nn import ElasticConv2d
    >>> hidden = Channels("block1.hidden", 24)
    >>> ElasticConv2d(8, hidden).weight.shape
    torch.Size([24, 8, 3, 3])
    """

    name: str

    def __new__(cls, name: str, size: int) -> Channels:
        made = super().__new__(cls, size)
        made.name = name
        return made

    def __getnewargs__(self) -> tuple[str, int]:  # type: ignore[override]
        return self.name, int(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Channels:
        return self

    def __floordiv__(self, groups: int) -> int:
        """Channels per group: of one group they are the same dimension."""
        return self if groups == 1 else int(self) // int(groups)

    def __repr__(self) -> str:
        return f"Channels({self.name!r}, {int(self)})"


@dataclass(frozen=True, kw_only=True)
class Atoms:
    """Channels of a named dimension behind a BatchNorm, each of which may go once its scale γ is 0.

    Where a 1 × 1 convolution reads them one by one (AtomNAS, arXiv 1912.09640), such a channel is a constant, the
    activation of its shift β, that the next BatchNorm can take over. Where `read` and `norm` are None, something else
    reads them, such as attention between tokens (HR-NAS, arXiv 2106.06560), and cutting one changes what the network
    computes. Modules are named as in the network, below `Supernet.module`.

    Attributes:
        dimension: The name of the dimension.
        scale: The BatchNorm over it.
        read: The convolution that reads it; None: something else does.
        norm: The BatchNorm that takes the sum of that convolution and perhaps others; None as `read` is.
        activation: What stands between `scale` and `read`.
        cost: What a channel costs alone, such as its multiply-accumulates.
        pairs: What each ordered pair of channels costs, a channel with itself included.
    """

    dimension: str
    scale: str
    read: str | None = None
    norm: str | None = None
    activation: Callable[[Tensor], Tensor] = torch.relu
    cost: float = 1.0
    pairs: float = 0.0

    def total(self, count: int) -> float:
        """What this many channels cost together.

        >>> Atoms(dimension="tokens", scale="norm", cost=10.0, pairs=2.0).total(3)
        48.0
        """
        return self.cost * count + self.pairs * count**2


@runtime_checkable
class HasAtoms(Protocol):
    """A network that knows which of its channels may be cut."""

    def atoms(self) -> Sequence[Atoms]:
        """The dimensions, each once."""
        ...


def sizes_of(net: nn.Module) -> dict[str, int]:
    """How many channels every dimension has that may be cut, as it is now; none where the network is no `HasAtoms`."""
    found = net.atoms() if isinstance(net, HasAtoms) else ()
    return {atoms.dimension: len(net.get_parameter(f"{atoms.scale}.weight")) for atoms in found}


def axes_of(module: nn.Module, dimension: str | Expr) -> dict[str, tuple[int, ...]]:
    """Per tensor of a module itself the axes that run along a dimension, by the tensor's name.

    Args:
        module: The module; what stands inside it is not looked at.
        dimension: The name of the dimension (`Channels`), or the very expression that the layers were given.
    """
    shapes = module.shapes() if isinstance(module, Mutable) else {}
    found = {
        tensor: tuple(axis for axis, size in enumerate(shape) if runs_along(size, dimension))
        for tensor, shape in shapes.items()
    }
    return {tensor: axes for tensor, axes in found.items() if axes}


def runs_along(size: object, dimension: str | Expr) -> bool:
    """Whether a size is that of a dimension: `Channels` of its name, or its expression itself."""
    if isinstance(dimension, Expr):
        return size is dimension
    return isinstance(size, Channels) and size.name == dimension


def resize(module: nn.Module, name: str, size: int) -> None:
    """Give a layer the new size of a named dimension, wherever it is an attribute."""
    for attribute, value in vars(module).items():
        if isinstance(value, Channels) and value.name == name:
            setattr(module, attribute, Channels(name, size))
