"""Sizes that are chosen, where there is something to choose, and what they are in an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supernet.errors import UsageError
from supernet.space import Arch, Choice, Expr
from supernet.zoo.arguments import check_whole


def axis(name: str, options: Sequence[Any], when: Expr | None = None) -> Any:
    """A choice between sizes, or the size itself where there is only one."""
    return Choice(name, options, when=when) if len(options) > 1 else options[0]


def check_axes(**axes: Sequence[int]) -> None:
    """Check the options of some axes, given as keywords.

    Raises:
        UsageError: an axis without an option, one that is there twice, or one that is no whole number of at least 1.
    """
    for name, options in axes.items():
        _check_distinct(name, options)
        for option in options:
            check_whole(f"One of the {name}", option)


def check_factors(**axes: Sequence[float]) -> None:
    """Check the options of some axes that need not be whole numbers, given as keywords.

    Raises:
        UsageError: an axis without an option, one that is there twice, or one that is no positive number.
    """
    for name, options in axes.items():
        _check_distinct(name, options)
        for option in options:
            if isinstance(option, bool) or not isinstance(option, int | float) or not 0 < option < float("inf"):
                raise UsageError(f"One of the {name} is {option!r}; give positive numbers.")


def _check_distinct(name: str, options: Sequence[float]) -> None:
    if not options or len(set(options)) < len(options):
        raise UsageError(f"The {name} are {tuple(options)}; give at least one, each once.")


def given_or(name: str, given: Sequence[int] | None, usual: Sequence[int]) -> tuple[int, ...]:
    """The options of an axis that are given, checked; None: the usual ones.

    Raises:
        UsageError: as `check_axes`.
    """
    options = tuple(usual if given is None else given)
    check_axes(**{name: options})
    return options


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
