"""The first of several conditions that is met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from supernet.train.context import Context


@dataclass(frozen=True)
class Either:
    """Ends a phase where one of several conditions does.

    Args:
        conditions: The conditions, asked in order.
    """

    conditions: tuple[Callable[[Context], str | None], ...]

    def __call__(self, context: Context) -> str | None:
        """The reason of the first that has one."""
        return next((reason for one in self.conditions if (reason := one(context)) is not None), None)
