"""Sets of items, as options of a choice."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from supernet.errors import UsageError
from supernet.space.expression import Option


def subsets(
    items: Iterable[Option], *, at_least: int = 1, at_most: int | None = None
) -> tuple[tuple[Option, ...], ...]:
    """Every subset of some items as a tuple in their order, smaller ones first.

    Args:
        items: The items.
        at_least: The fewest items in a subset.
        at_most: The most items in a subset; None: all of them.

    Raises:
        UsageError: no subset has so many items.

    >>> subsets(range(3), at_least=2, at_most=2)
    ((0, 1), (0, 2), (1, 2))
    >>> len(subsets(("conv", "pool", "skip"))), subsets((), at_least=0)
    (7, ((),))
    """
    listed = tuple(items)
    most = len(listed) if at_most is None else min(at_most, len(listed))
    if not 0 <= at_least <= most:
        raise UsageError(
            f"Subsets of {at_least} to {at_most if at_most is not None else 'all'} items were asked for, but there are "
            f"{len(listed)} items. Give at_least from 0 to {most}."
        )
    return tuple(subset for size in range(at_least, most + 1) for subset in itertools.combinations(listed, size))
