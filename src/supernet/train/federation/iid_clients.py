"""Clients that all see what there is."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.data import Indexed, Part, iid


@dataclass(frozen=True, kw_only=True)
class IIDClients:
    """Examples are divided at random, in equal numbers; see `supernet.data.iid`.

    Args:
        clients: Number of clients.
        seed: The seed that decides who gets which example.
        least: Least number of examples of a client.
    """

    clients: int = 100
    seed: int = 0
    least: int = 1

    def __call__(self, split: Indexed) -> tuple[Part, ...]:
        return iid(split, clients=self.clients, seed=self.seed, least=self.least)
