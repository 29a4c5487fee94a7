"""A network of its own for every client of a federation."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from supernet.nn import Supernet
from supernet.train.federation.standing import FEDERATION
from supernet.train.part import Setting


class ClientNets(nn.ModuleList):
    """The personal nets of the clients, by their numbers; `Step.part("personal.3", Supernet)` is that of client 3.

    Args:
        nets: The nets.
    """

    def __init__(self, nets: Iterable[Supernet]) -> None:
        super().__init__(nets)


@dataclass(frozen=True)
class CopyPerClient:
    """A copy of the supernet for every client, as the supernet is when the training begins; they learn apart from it.

    All are one family of parameters, of which a step moves those of one client: what the optimiser holds for a
    parameter is its client's own. Until it is known how many clients there are (`FederatedRounds` builds the part anew
    then), there is one.
    """

    def __call__(self, setting: Setting) -> ClientNets:
        """The copies for one training."""
        now = setting.memory.get(FEDERATION)
        count = 1 if now is None else int(now["of"])
        return ClientNets(copy.deepcopy(setting.net) for _ in range(count))
