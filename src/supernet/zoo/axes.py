"""Sizes that are chosen, where there is something to choose, and what they are in an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supernet.space import Arch, Choice, Expr


def axis(name: str, options: Sequence[Any], when: Expr | None = None) -> Any:
    """A choice between sizes, or the size itself where there is only one."""
    return Choice(name, options, when=when) if len(options) > 1 else options[0]


class SharedAxes:
    """Makes the choice of an axis as `axis` does, but one for each name, which several chains have in common."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __call__(self, name: str, options: Sequence[Any], when: Expr | None = None) -> Any:
        if name not in self._made:
            self._made[name] = axis(name, options, when)
        return self._made[name]


def size_in(arch: Arch, size: Expr | int) -> int:
    """What a size is in an architecture."""
    return int(size.evaluate(lambda choice: arch[choice.name])) if isinstance(size, Expr) else size
