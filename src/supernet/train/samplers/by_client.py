"""Clients of different strength train architectures of different size (E-FedSup, HeteroFL)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.nn import Decisions, Supernet
from supernet.space import Arch
from supernet.train.federation.standing import standing
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.cost_share import CostShare
from supernet.train.samplers.draws import Draws, drawn_by
from supernet.train.samplers.extreme import Extreme
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class ByClient:
    """A sampler for each tier of clients: the first clients have the first sampler, and so on, in equal numbers.

    Client i of n is in the tier ⌊i · T / n⌋ of T, so that four tiers of a hundred clients are those below 25, 50, 75
    and 100.

    Args:
        tiers: The samplers, one for each tier. The default are E-FedSup's four
            ([arXiv 2206.01366](https://arxiv.org/abs/2206.01366)): smallest, largest, and random ones between 0.75 and
            1.0 M and between 2.0 and 2.75 M parameters, as shares of the 3.08 M that its code counts of the largest.

    Raises:
        UsageError: no tier, or tiers that draw different kinds of paths; in a training without clients.
    """

    tiers: tuple[Sampler, ...] = (
        Extreme("smallest"),
        Extreme("largest"),
        CostShare(low=0.243, high=0.324),
        CostShare(low=0.649, high=0.892),
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "tiers", tuple(self.tiers))
        if not self.tiers:
            raise UsageError("Clients were to have samplers by their tier, but there is no tier; give at least one.")
        kinds = sorted({drawn_by(tier) for tier in self.tiers})
        if len(kinds) > 1:
            raise UsageError(f"The tiers of clients draw {' and '.join(map(repr, kinds))}; all have to draw one kind.")

    @property
    def draws(self) -> Draws:
        return drawn_by(self.tiers[0])

    def check(self, net: Supernet) -> None:
        for tier in self.tiers:
            tier.check(net)

    def of(self, client: int, clients: int) -> Sampler:
        """The sampler of a client.

        Args:
            client: Its number, from 0.
            clients: How many there are.
        """
        if not 0 <= client < clients:
            raise UsageError(f"There is no client {client} among {clients}; they count from 0.")
        return self.tiers[client * len(self.tiers) // clients]

    def paths(self, step: Step) -> Sequence[Arch | Decisions]:
        now = standing(step)
        if now is None:
            raise UsageError(
                "Architectures were to be drawn by client, but this training has no clients. Train by FederatedRounds, "
                "or take the sampler of a client alone: ByClient.of(client, clients)."
            )
        return self.of(int(now["client"]), int(now["of"])).paths(step)
