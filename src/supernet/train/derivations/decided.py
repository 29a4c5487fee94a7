"""The architecture that a training has decided on along the way (SGAS, DARTS-PT)."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.context import Context
from supernet.train.derivations._protocol import Derivation


@dataclass(frozen=True)
class Decided:
    """The one architecture that is left, once the training has decided every choice that matters in it.

    Args:
        otherwise: What derives an architecture of a training that was stopped before everything was decided; None: such
            a training derives nothing and says so.
    """

    otherwise: Derivation | None = None

    def check(self, net: Supernet) -> None:
        if self.otherwise is not None:
            self.otherwise.check(net)

    def derive(self, context: Context) -> Arch:
        """The architecture that is left.

        Raises:
            UsageError: several are left, and nothing derives one of them.
        """
        left = context.restriction.space
        if left.size == 1:
            return context.net.space.arch(left.smallest().options())
        if self.otherwise is not None:
            return self.otherwise.derive(context)
        open_ = [choice.name for choice in left.choices if len(left.allowed(choice.name)) > 1]
        raise UsageError(
            f"{left.size:,} architectures are left, since {', '.join(map(repr, open_[:4]))} "
            f"{'is' if len(open_) == 1 else 'are'} not decided. Train to the end, or give "
            "Decided(otherwise=Strongest())."
        )
