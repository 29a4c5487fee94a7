"""A supernet made into several copies of its weights (few-shot NAS, GM-NAS)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.leaves import Leaves
from supernet.space import Choice, Space


@dataclass(frozen=True)
class Copies:
    """Makes one supernet into `count` copies of its weights, the first of which holds the whole space at first.

    Args:
        count: Number of copies.
        splits: How often the sub-space of a leaf will be divided into two; it is checked that this is possible.
    """

    count: int
    splits: int = 0

    def __call__(self, net: Supernet) -> Supernet:
        """A supernet of `Leaves`; the given network is copy 0.

        Raises:
            UsageError: the space has too few choices to be split that often.
        """
        names = [choice.name for choice in splittable(net.space)]
        if len(names) < self.splits:
            raise UsageError(
                f"The space is to be split {self.splits} times in succession, but only {len(names)} of its choices are "
                "always active and have two options or more. Split fewer times."
            )
        return Supernet(Leaves(net, self.count), input_shape=net.input_shape)


@dataclass(frozen=True)
class CopyPerOption:
    """Makes one supernet into as many copies of its weights as some choices have joint options.

    Args:
        choices: The choices; None: the first that can split the space.
    """

    choices: tuple[str, ...] | None = None

    def __call__(self, net: Supernet) -> Supernet:
        """A supernet of `Leaves`; the given network is copy 0.

        Raises:
            UsageError: one of the choices does not exist or cannot split the space.
        """
        splits = tuple(choice.name for choice in named(net.space, self.choices))
        return Supernet(Leaves(net, parts(net.space, splits), splits), input_shape=net.input_shape)


def splittable(space: Space) -> tuple[Choice, ...]:
    """The choices by which a (sub-)space can be split: always active, with two options left or more."""
    return tuple(c for c, count in zip(space.choices, space.counts, strict=True) if c.when is None and count > 1)


def parts(space: Space, choices: Sequence[str] | None) -> int:
    """Into how many parts some choices divide a space, one per joint option; None: its first choice that can.

    Raises:
        UsageError: a choice is not in the space, is given twice, or cannot split it.
    """
    return math.prod(len(space.split(choice.name)) for choice in named(space, choices))


def named(space: Space, names: Sequence[str] | None) -> list[Choice]:
    if names is None:
        names = [choice.name for choice in splittable(space)[:1]]
        if not names:
            raise UsageError(
                "The space cannot be split: none of its choices is always active and has two options or more."
            )
    if not names or len(set(names)) < len(names):
        raise UsageError(f"The choices to split by are {tuple(names)}; give at least one, and each once.")
    return [space.choices[space.column(name)] for name in names]


def splits_of(net: Supernet) -> tuple[str, ...]:
    """The names of the choices that a supernet's leaves are made by, where that is known from the beginning."""
    return net.module.splits if isinstance(net.module, Leaves) else ()


def leaves_of(net: Supernet) -> Leaves:
    """The copies that a supernet consists of.

    Raises:
        UsageError: it is an ordinary one.
    """
    if not isinstance(net.module, Leaves):
        raise UsageError(
            f"A sub-space needs weights of its own, but this supernet ({type(net.module).__name__}) has one set. "
            "Give the recipe adapt=Copies(…), or wrap it: Supernet(Leaves(net, count))."
        )
    return net.module
