"""A list of blocks made elastic in depth, whatever code runs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from torch import nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable
from supernet.space import Expr
from supernet.space.conditions import Conditions, Deeper


class Stack(nn.Module, Mutable):
    """Mixin that `stacked` puts before the class of a list of blocks; see there."""

    _depth: Expr | int
    _removable: tuple[int, ...]

    def _kept(self) -> list[tuple[str, nn.Module]]:
        held = list(self._modules.items())
        depth = len(held) if self.selection.active is None else self.selection.value(self._depth)
        gone = set(self._removable[len(self._removable) - (len(held) - depth) :] if depth < len(held) else ())
        return [cast("tuple[str, nn.Module]", pair) for place, pair in enumerate(held) if place not in gone]

    def kept_names(self) -> list[str]:
        """The names of the blocks that the active architecture keeps."""
        return [name for name, _ in self._kept()]

    def __iter__(self) -> Iterator[nn.Module]:
        self.selection.require()
        return iter([module for _, module in self._kept()])

    def __len__(self) -> int:
        return len(self._kept())

    def __getitem__(self, index: Any) -> Any:
        self.selection.require()
        kept = [module for _, module in self._kept()]
        if isinstance(index, slice):
            kind: Any = type(self).__bases__[1]
            return nn.Sequential(*kept[index]) if issubclass(kind, nn.Sequential) else nn.ModuleList(kept[index])
        return kept[index]

    def __repr__(self) -> str:
        return nn.Module.__repr__(self)

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self._depth,)

    def runs(self) -> dict[str, Conditions]:
        names = list(self._modules)
        fixed = len(names) - len(self._removable)
        ranks = {place: rank for rank, place in enumerate(self._removable)}
        return {
            name: (Deeper(self._depth, fixed + ranks[place]),) if place in ranks else ()
            for place, name in enumerate(names)
        }

    def plain(self) -> nn.Module:
        """A list of the same class with the blocks that are kept, numbered anew."""
        kind = type(self).__bases__[1]
        made: nn.Module = object.__new__(kind)
        own = ("_depth", "_removable", "selection")
        made.__dict__.update({name: value for name, value in vars(self).items() if name not in own})
        kept = self._kept()
        numbered = all(name.isdigit() for name in self._modules)
        made.__dict__["_modules"] = {str(n) if numbered else name: block for n, (name, block) in enumerate(kept)}
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _blank, (type(self).__bases__[1],), dict(vars(self))


def stacked(blocks: nn.Module, depth: Expr | int, removable: Sequence[int]) -> None:
    """Make a `Sequential` or `ModuleList` elastic in depth, in place: it becomes a subclass of its class.

    Code that iterates over it meets the blocks that the active architecture keeps.

    Args:
        blocks: The list.
        depth: How many blocks are kept.
        removable: The places of the blocks that may go; the last of them go first.

    Raises:
        UsageError: it is no such list, or the depth asks for more than it has or lets go more than may.
    """
    if not isinstance(blocks, nn.Sequential | nn.ModuleList):
        raise UsageError(f"A {type(blocks).__name__} is no list of blocks; give an nn.Sequential or an nn.ModuleList.")
    count = len(blocks._modules)
    possible = depth.possible() if isinstance(depth, Expr) else (depth,)
    if min(possible) < count - len(removable) or max(possible) > count:
        raise UsageError(
            f"The depth {depth} of a list of {count} blocks, {len(removable)} of which may go, must lie between "
            f"{count - len(removable)} and {count}."
        )
    blocks.__class__ = _class_of(type(blocks))
    blocks.__dict__["_depth"], blocks.__dict__["_removable"] = depth, tuple(sorted(removable))


_CLASSES: dict[Any, Any] = {}


def _class_of(kind: Any) -> Any:
    if kind not in _CLASSES:
        _CLASSES[kind] = type(f"Stack{kind.__name__}", (Stack, kind), {"__module__": __name__})
    return _CLASSES[kind]


def _blank(kind: type[nn.Module]) -> nn.Module:
    return cast(nn.Module, object.__new__(_class_of(kind)))
