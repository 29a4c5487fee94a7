"""Clients whose examples are listed."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.data import Indexed, Part, listed


@dataclass(frozen=True, kw_only=True)
class ListedClients:
    """Each client has the examples of its list; see `supernet.data.listed`.

    Args:
        lists: Per client the numbers of its examples in the training split, from 0; none in two lists.
        least: Least number of examples of a client.
    """

    lists: tuple[tuple[int, ...], ...]
    least: int = 1

    def __call__(self, split: Indexed) -> tuple[Part, ...]:
        return listed(split, lists=self.lists, least=self.least)
