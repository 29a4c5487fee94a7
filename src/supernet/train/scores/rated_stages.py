"""A subnet's ratings of all stages, summed up (BossNAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from supernet.errors import UsageError
from supernet.measure.scores.score import Subnet
from supernet.nn import Supernet
from supernet.nn.stage_modules import StageNames
from supernet.train.parts.stage_ratings import StageRatings
from supernet.train.programs.bootstrap_stage import stage_paths


@dataclass(frozen=True, kw_only=True)
class RatedStages:
    """Σ λ_k L_k over the stages, L_k being the rating of the path through stage k (`RateStage`); less is better.

    BossNAS, [arXiv 2103.12424](https://arxiv.org/abs/2103.12424), §3.1; with the released code all λ are 1.

    Args:
        weights: λ, one per stage; None: all are 1.
        stages: The number of stages that were trained, or their modules by name.
        ratings: The part of the recipe that holds the ratings.

    Raises:
        UsageError: while it runs, no ratings, not as many weights as stages, or a subnet whose path was not rated.
    """

    weights: tuple[float, ...] | None = None
    stages_trained: int | StageNames = 4
    ratings: str = "ratings"

    name: ClassVar[str] = "ensemble_distance"
    goal: ClassVar[Literal["max", "min"]] = "min"
    unit: ClassVar[str] = ""

    def stages(self, net: Supernet) -> tuple[tuple[str, ...], ...]:
        """The choices of each stage, by name; stages that a choice reaches across count as one."""
        ways = stage_paths(net, self.stages_trained)
        read = [{name for number in group for name in ways.reads[number]} for group in ways.together()]
        return tuple(tuple(name for name in net.space.names if name in names) for names in read)

    def __call__(self, subnet: Subnet) -> float:
        """The sum."""
        return sum(self._ratings(subnet))

    def terms(self, subnet: Subnet) -> Sequence[float]:
        """The weighted ratings, of each of `stages`."""
        ratings = self._ratings(subnet)
        groups = stage_paths(subnet.net, self.stages_trained).together()
        return [sum(ratings[number] for number in group) for group in groups]

    def _ratings(self, subnet: Subnet) -> list[float]:
        held = subnet.parts.get(self.ratings)
        if not isinstance(held, StageRatings):
            known = ", ".join(map(repr, subnet.parts)) or "none"
            raise UsageError(
                f"Subnets are rated by the tables of the part {self.ratings!r}, which is missing; the parts are: "
                f"{known}. Give the recipe parts={{{self.ratings!r}: stage_ratings()}}."
            )
        ways = stage_paths(subnet.net, self.stages_trained)
        weights = (1.0,) * len(ways.reads) if self.weights is None else self.weights
        if len(weights) != len(ways.reads):
            raise UsageError(f"{len(weights)} weights were given for {len(ways.reads)} stages; give one for each.")
        found = []
        for stage, weight in enumerate(weights):
            value = held.of(stage, ways.key(stage, subnet.arch))
            if value is None:
                raise UsageError(
                    f"The path of {subnet.arch!r} through stage {stage} was not rated: the best path of the stages "
                    "before it does not lead there. Search in the part of the space that the training has left."
                )
            found.append(weight * value)
        return found
