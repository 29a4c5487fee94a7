"""The architecture from before the curvature rose (DARTS-ES)."""

from __future__ import annotations

from dataclasses import dataclass, field

from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.context import Context
from supernet.train.derivations.strongest import Strongest
from supernet.train.edits.curvature import HISTORY, CurvatureRise


@dataclass(frozen=True, kw_only=True)
class BeforeRise:
    """The architecture that `Curvature` remembered at the measurement to go back to; of the end, where there is none.

    [arXiv 1909.09656](https://arxiv.org/abs/1909.09656), as in the official code.

    Args:
        rise: What says that the curvature has risen, and what to go back to.
        otherwise: The rule for the architecture of the end, where it has not.
    """

    rise: CurvatureRise = field(default_factory=CurvatureRise)
    otherwise: Strongest = field(default_factory=Strongest)

    @property
    def part(self) -> str:
        """The part of the recipe that it is read off."""
        return self.otherwise.part

    def check(self, net: Supernet) -> None:
        self.otherwise.check(net)

    def derive(self, context: Context) -> Arch:
        """The remembered architecture, or that of the end."""
        place = self.rise.place(context)
        if place is None:
            return self.otherwise.derive(context)
        return context.net.space.parse(context.memory[HISTORY]["derived"][place])
