"""What was derived after the best epoch (DenseNAS)."""

from __future__ import annotations

from dataclasses import dataclass, field

from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.context import Context
from supernet.train.derivations._protocol import Derivation
from supernet.train.derivations.likeliest_route import LikeliestRoute
from supernet.train.edits.remember_derived import DERIVED


@dataclass(frozen=True)
class OfBestEpoch:
    """The architecture that `RememberDerived` has of the best epoch; of a training in which none was rated, the last.

    Args:
        otherwise: What derives that of the end.
    """

    otherwise: Derivation = field(default_factory=LikeliestRoute)

    def check(self, net: Supernet) -> None:
        self.otherwise.check(net)

    def derive(self, context: Context) -> Arch:
        """The architecture."""
        known = context.memory.get(DERIVED)
        return context.net.space.parse(known[0]["derived"]) if known else self.otherwise.derive(context)
