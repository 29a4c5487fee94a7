"""Which entries along an axis an architecture uses, where these are more than a prefix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import add, mul
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from supernet.space import Expr

Value: TypeAlias = Callable[[Expr | int], int]


@dataclass(frozen=True, eq=False)
class Layout:
    """How an axis is made of dimensions, each of which an architecture uses a prefix of.

    Rows of a fused projection of queries, keys and values with elastic heads are the product of 3, the heads and their
    dimension: the prefix of the heads is taken within each of the three. Channels behind a dense block are the
    concatenation of what its layers give.

    Attributes:
        size: Its length in the largest network.
        width: Its length under an architecture.
        kind: Whether it is a dimension of its own, the product of others (the last running fastest), or their
            concatenation.
        parts: Those others.

    >>> from supernet import Choice
    >>> heads = Choice("heads", (1, 2))
    >>> fused = Layout.product(Layout.of(3), Layout.of(2, heads), Layout.of(2))
    >>> fused.entries(lambda size: 1 if size is heads else int(size)).tolist()
    [0, 1, 4, 5, 8, 9]
    """

    size: int
    width: Expr | int
    kind: Literal["dimension", "product", "concatenation"] = "dimension"
    parts: tuple[Layout, ...] = ()
    _known: dict[tuple[int, ...], Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, size: int, width: Expr | int | None = None) -> Layout:
        """A dimension of its own; without `width` it is fixed."""
        return cls(size, size if width is None else width)

    @classmethod
    def product(cls, *parts: Layout) -> Layout:
        """Every combination of entries of the parts."""
        if len(parts) == 1:
            return parts[0]
        return cls(_joined(mul, [p.size for p in parts]), _joined(mul, [p.width for p in parts]), "product", parts)

    @classmethod
    def concatenation(cls, *parts: Layout) -> Layout:
        """The entries of one part after those of the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            _joined(add, [p.size for p in parts]), _joined(add, [p.width for p in parts]), "concatenation", parts
        )

    @property
    def varies(self) -> bool:
        """Whether its length depends on choices."""
        return isinstance(self.width, Expr)

    @property
    def is_prefix(self) -> bool:
        """Whether what is used is always a prefix of the whole."""
        if self.kind == "dimension" or not self.varies:
            return True
        if self.kind == "product":
            return self.parts[0].is_prefix and not any(part.varies for part in self.parts[1:])
        return self.parts[-1].is_prefix and not any(part.varies for part in self.parts[:-1])

    def dimensions(self) -> Iterator[Layout]:
        """The dimensions that it is made of, in order; one may come several times."""
        if self.kind == "dimension":
            yield self
        for part in self.parts:
            yield from part.dimensions()

    def entries(self, value: Value) -> Tensor:
        """The positions that are used, ascending (n,)."""
        key = tuple(value(one.width) for one in self.dimensions() if one.varies)
        if key not in self._known:
            self._known[key] = self.positions(lambda one: torch.arange(value(one.width)))
        return self._known[key]

    def positions(self, of: Callable[[Layout], Tensor]) -> Tensor:
        """The positions of some entries of each dimension, in the order in which `of` gives these (n,)."""
        if self.kind == "dimension":
            return of(self)
        if self.kind == "concatenation":
            found, start = [], 0
            for part in self.parts:
                found.append(part.positions(of) + start)
                start += part.size
            return torch.cat(found)
        placed = self.parts[0].positions(of)
        for part in self.parts[1:]:
            placed = (placed[:, None] * part.size + part.positions(of)).flatten()
        return placed

    def coordinates(self, width: Expr) -> Tensor:
        """By position the entry of the dimension of this width that it belongs to; −1: it belongs to none (size,)."""
        if self.kind == "dimension":
            return torch.arange(self.size) if self.width is width else torch.full((self.size,), -1)
        if self.kind == "concatenation":
            return torch.cat([part.coordinates(width) for part in self.parts])
        found = torch.full((1,), -1)
        for part in self.parts:
            here = part.coordinates(width)
            found = torch.where(here[None] < 0, found[:, None], here[None]).flatten()
        return found


def taken(tensor: Tensor, layouts: tuple[Layout, ...], value: Value) -> Tensor:
    """The entries of a tensor that are used; a view of it where they are prefixes."""
    for axis, layout in enumerate(layouts):
        width = value(layout.width)
        if width == tensor.shape[axis]:
            continue
        if layout.is_prefix:
            tensor = tensor.narrow(axis, 0, width)
        else:
            tensor = tensor.index_select(axis, layout.entries(value).to(tensor.device))
    return tensor


def _joined(operation: Callable[[Any, Any], Any], sizes: list[Any]) -> Any:
    return reduce(operation, sizes)
