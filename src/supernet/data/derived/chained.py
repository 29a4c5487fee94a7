"""Several changes of a data set, one after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

from supernet.data.data import Data
from supernet.errors import UsageError


@dataclass(frozen=True)
class Chained:
    """What several changes make of a data set, the first one first.

    Args:
        changes: The changes.

    Raises:
        UsageError: There is none.

    >>> from supernet.data import AllImages, RandomLabelled, digits
    >>> print(Chained((AllImages(), RandomLabelled(seed=1)))(digits()))
    digits, all images, random labels 1: 1438 train, 288 validation, 359 test images of 1x8x8, 10 classes
    """

    changes: tuple[Callable[[Data], Data], ...]

    def __post_init__(self) -> None:
        if not self.changes:
            raise UsageError("Chained() has no changes; give one or more, or leave it out.")

    def __call__(self, data: Data) -> Data:
        """The data after all changes."""
        return reduce(lambda changed, change: change(changed), self.changes, data)

    def alone(self) -> Chained | None:
        """Those changes that also hold where one architecture is trained alone; None: there is none."""
        ask: Any = (getattr(change, "alone", lambda change=change: change) for change in self.changes)
        kept = tuple(change for change in (one() for one in ask) if change is not None)
        return Chained(kept) if kept else None


def chained(*changes: Callable[[Data], Data] | None) -> Callable[[Data], Data] | None:
    """Those changes that are not None, one after another; a single one as it is, None of none.

    >>> from supernet.data import AllImages
    >>> chained(None, AllImages()), chained(None)
    (AllImages(), None)
    """
    given = tuple(change for change in changes if change is not None)
    return Chained(given) if len(given) > 1 else next(iter(given), None)
