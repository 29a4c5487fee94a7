"""The best paths of all stages, joined (BossNAS)."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.nn import Supernet
from supernet.nn.stage_modules import StageNames
from supernet.space import Arch
from supernet.train.context import Context
from supernet.train.parts.siamese_heads import first_stages
from supernet.train.parts.stage_ratings import StageRatings
from supernet.train.programs.bootstrap_stage import stage_paths


@dataclass(frozen=True, kw_only=True)
class RatedBest:
    """The architecture whose path through every stage is the best one behind those before it.

    Of a training that was stopped before all stages were rated: the best path of those that were, and in the others the
    smallest of what is left.

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
        """The architecture."""
        held, left = context.step.part(self.part, StageRatings), context.restriction.space
        if not held.best:
            return context.net.space.arch(left.smallest().options())
        best = context.net.space.wrap(held.best[-1][None].numpy())[0]
        ways = stage_paths(context.net, self.stages)
        for later in range(len(held.best), len(ways.reads)):
            best = ways.of(later, left, best).smallest()
        return context.net.space.arch(best.options())
