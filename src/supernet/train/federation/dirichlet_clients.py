"""Clients whose shares of every class are random."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.data import Indexed, Part, dirichlet


@dataclass(frozen=True, kw_only=True)
class DirichletClients:
    """Each class is divided among the clients in shares q ~ Dir(β); see `supernet.data.dirichlet`.

    Args:
        clients: Number of clients.
        beta: β; the smaller it is, the fewer classes a client sees.
        seed: The seed that decides the shares, and who gets which example.
        least: Least number of examples of a client; shares are drawn again until all have them, 1,000 times at most.
    """

    clients: int = 100
    beta: float = 0.1
    seed: int = 0
    least: int = 1

    def __call__(self, split: Indexed) -> tuple[Part, ...]:
        return dirichlet(split, clients=self.clients, beta=self.beta, seed=self.seed, least=self.least)
