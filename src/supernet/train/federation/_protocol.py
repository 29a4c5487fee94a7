"""What a partition promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from supernet.data import Indexed, Part

__all__ = ["Partition"]


class Partition(Protocol):
    """Divides training examples among clients, as `supernet.data.Clients` asks for it."""

    def __call__(self, split: Indexed) -> Sequence[Part]:
        """The examples of each client.

        Raises:
            UsageError: they cannot be divided so; a client would have none.
        """
        ...
