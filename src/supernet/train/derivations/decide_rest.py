"""What a training has decided, and the rest as it would be decided next (SGAS)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from supernet.nn import Supernet
from supernet.space import Arch
from supernet.space.restriction import Restriction
from supernet.train.context import Context
from supernet.train.derivations.decided import Decided
from supernet.train.derivations.strongest import Strongest
from supernet.train.edits.decide_edge import DecideEdge


@dataclass(frozen=True)
class DecideRest:
    """The architecture that is left; of a training that was stopped early, what is open is decided now, edge by edge.

    [arXiv 1912.00195](https://arxiv.org/abs/1912.00195), algorithm 1, with no training between its decisions. The
    training itself keeps what is open in it. What decisions leave open, such as inputs of nodes without operations, is
    derived by `Strongest`.

    Args:
        decide: What decides an edge of every kind of cell.
    """

    decide: DecideEdge = field(default_factory=DecideEdge)

    def check(self, net: Supernet) -> None:
        self._left.check(net)

    @property
    def _left(self) -> Decided:
        return Decided(otherwise=Strongest(edges=self.decide.edges, part=self.decide.part))

    def derive(self, context: Context) -> Arch:
        """The architecture.

        Raises:
            RunError: a probability is not finite.
            UsageError: as `Strongest.derive`.
        """
        kept = {name: list(codes) for name, codes in context.restriction.kept.items()}
        restriction = Restriction(context.restriction.whole, kept)
        apart = replace(context, step=replace(context.step, restriction=restriction))
        while restriction.space.size > 1:
            before = restriction.space
            self.decide(apart)
            if restriction.space is before:
                break
        return self._left.derive(apart)
