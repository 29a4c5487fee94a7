"""The architecture that each client of a federation has decided on (SPIDER)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.context import Context
from supernet.train.derivations._protocol import Derivation
from supernet.train.derivations.decided import Decided
from supernet.train.derivations.strongest import Strongest
from supernet.train.federation.standing import standing
from supernet.train.parts.copy_per_client import ClientNets
from supernet.train.programs.train_personal import PERSONAL, TrainPersonal


@dataclass(frozen=True, kw_only=True)
class DecidedPerClient:
    """The architecture that is left in the own net of each client (`TrainPersonal`), by `client/0` and so on.

    As one architecture (`derive`) it is that of client 0.

    Args:
        otherwise: What derives one of those that are left, where a training was too short to decide everything.
        own: The part that holds the own nets.
    """

    otherwise: Derivation = field(default_factory=Strongest)
    own: str = "personal"

    def check(self, net: Supernet) -> None:
        self.otherwise.check(net)

    def derive(self, context: Context) -> Arch:
        """The architecture of client 0; errors as in `derive_by_task`."""
        return next(iter(self.derive_by_task(context).values()))

    def derive_by_task(self, context: Context) -> Mapping[str, Arch]:
        """The architectures by the names of the clients.

        Raises:
            UsageError: the training has no clients with nets of their own, or nothing can be derived.
        """
        step = context.step
        if standing(step) is None or PERSONAL not in step.memory:
            raise UsageError(
                "Architectures of clients were to be derived, but the training had no clients that decide. Train by "
                "FederatedRounds(program=TrainPersonal(…), own=('personal',))."
            )
        program, decided = TrainPersonal(own=self.own), Decided(otherwise=self.otherwise)
        clients = range(len(step.part(self.own, ClientNets)))
        return {
            f"client/{number}": decided.derive(replace(context, step=program.inside(step, number)))
            for number in clients
        }
