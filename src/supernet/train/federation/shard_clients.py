"""Clients that see few classes each."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.data import Indexed, Part
from supernet.data import shards as divided


@dataclass(frozen=True, kw_only=True)
class ShardClients:
    """Examples are sorted by class and cut into shards, of which each client gets some; see `supernet.data.shards`.

    Args:
        clients: Number of clients.
        shards: Number of shards of each client.
        seed: The seed that decides who gets which shard.
        least: Least number of examples of a client.
    """

    clients: int = 100
    shards: int = 10
    seed: int = 0
    least: int = 1

    def __call__(self, split: Indexed) -> tuple[Part, ...]:
        return divided(split, clients=self.clients, per_client=self.shards, seed=self.seed, least=self.least)
