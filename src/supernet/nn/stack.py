"""A list of blocks made elastic in depth, whatever code runs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from torch import nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable
from supernet.space import Expr
from supernet.space.conditions import Conditions, Deeper


class Stack(nn.Module, Mutable):
    """Mixin that `stacked` puts before the class of a list of blocks; see there."""

    _conditions: Mapping[int, Deeper]

    def _kept(self) -> list[tuple[str, nn.Module]]:
        held = [cast("tuple[str, nn.Module]", pair) for pair in self._modules.items()]
        if self.selection.active is None:
            return held
        gone = {place for place, runs in self._conditions.items() if not runs.met(self.selection.option)}
        return [pair for place, pair in enumerate(held) if place not in gone]

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
        return tuple(dict.fromkeys(runs.depth for runs in self._conditions.values()))

    def runs(self) -> dict[str, Conditions]:
        return {
            name: (self._conditions[place],) if place in self._conditions else ()
            for place, name in enumerate(self._modules)
        }

    def plain(self) -> nn.Module:
        """A list of the same class with the blocks that are kept, numbered anew."""
        kind = type(self).__bases__[1]
        made: nn.Module = object.__new__(kind)
        own = ("_conditions", "selection")
        made.__dict__.update({name: value for name, value in vars(self).items() if name not in own})
        kept = self._kept()
        numbered = all(name.isdigit() for name in self._modules)
        made.__dict__["_modules"] = {str(n) if numbered else name: block for n, (name, block) in enumerate(kept)}
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _blank, (type(self).__bases__[1],), dict(vars(self))


def stacked(blocks: nn.Module, conditions: Mapping[int, Deeper]) -> None:
    """Make a `Sequential` or `ModuleList` elastic in depth, in place: it becomes a subclass of its class.

    Code that iterates over it meets the blocks that the active architecture keeps.

    Args:
        blocks: The list.
        conditions: Under which condition each block runs, by its place; one that is not named always runs. See
            `last_first` for blocks that go one after the other.

    Raises:
        UsageError: it is no such list, it has no block at a place, or no block would be left.
    """
    if not isinstance(blocks, nn.Sequential | nn.ModuleList):
        raise UsageError(f"A {type(blocks).__name__} is no list of blocks; give an nn.Sequential or an nn.ModuleList.")
    count = len(blocks._modules)
    if not set(conditions) <= set(range(count)):
        raise UsageError(f"Conditions are given for the places {sorted(conditions)} of a list of {count} blocks.")
    least = {
        runs.depth: runs.depth.min() if isinstance(runs.depth, Expr) else runs.depth for runs in conditions.values()
    }
    if all(place in conditions and least[conditions[place].depth] <= conditions[place].index for place in range(count)):
        raise UsageError(f"All {count} blocks of a list may go, which leaves none. Leave out the condition of one.")
    blocks.__class__ = _class_of(type(blocks))
    blocks.__dict__["_conditions"] = dict(sorted(conditions.items()))


def last_first(depth: Expr | int, count: int, removable: Sequence[int]) -> dict[int, Deeper]:
    """Conditions under which a list keeps `depth` of its blocks, those that may go leaving from the last on.

    Args:
        depth: How many blocks are kept.
        count: How many blocks the list has.
        removable: The places of the blocks that may go.

    Raises:
        UsageError: the depth asks for more than there are, or lets go more than may.
    """
    possible = depth.possible() if isinstance(depth, Expr) else (depth,)
    if min(possible) < count - len(removable) or max(possible) > count:
        raise UsageError(
            f"The depth {depth} of a list of {count} blocks, {len(removable)} of which may go, must lie between "
            f"{count - len(removable)} and {count}."
        )
    return {place: Deeper(depth, count - len(removable) + rank) for rank, place in enumerate(sorted(removable))}


_CLASSES: dict[Any, Any] = {}


def _class_of(kind: Any) -> Any:
    if kind not in _CLASSES:
        _CLASSES[kind] = type(f"Stack{kind.__name__}", (Stack, kind), {"__module__": __name__})
    return _CLASSES[kind]


def _blank(kind: type[nn.Module]) -> nn.Module:
    return cast(nn.Module, object.__new__(_class_of(kind)))
