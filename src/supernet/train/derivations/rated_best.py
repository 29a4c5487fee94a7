"""The best paths of all stages, joined (BossNAS)."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.stage_modules import StageNames
from supernet.space import Arch
from supernet.train.context import Context
from supernet.train.parts.siamese_heads import first_stages
from supernet.train.parts.stage_ratings import StageRatings


@dataclass(frozen=True, kw_only=True)
class RatedBest:
    """The architecture whose path through every stage is the best one behind those before it.

    Args:
        stages: The number of stages that are trained, or their modules by name.
        part: The part of the recipe that holds the ratings.
    """

    stages: int | StageNames = 4
    part: str = "ratings"

    def check(self, net: Supernet) -> None:
        """Refuse a network without these stages."""
        first_stages(net, self.stages)

    def derive(self, context: Context) -> Arch:
        """The architecture.

        Raises:
            UsageError: the training ended before all stages were rated.
        """
        held, count = context.step.part(self.part, StageRatings), len(first_stages(context.net, self.stages))
        if len(held.best) < count:
            raise UsageError(
                f"{len(held.best)} of {count} stages were rated when the training ended, so no architecture can be "
                "derived. Train to the end."
            )
        return context.net.space.wrap(held.best[count - 1][None].numpy())[0]
