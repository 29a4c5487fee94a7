"""One move on one stage of the network, through the paths of a sampler (DNA, DONNA)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.combines._protocol import Combine
from supernet.train.combines.sum import Sum
from supernet.train.context import Moves
from supernet.train.forwards.stage import Stage
from supernet.train.move import Move, Path
from supernet.train.objectives.feature_distance import FeatureDistance
from supernet.train.part import WEIGHTS
from supernet.train.samplers._protocol import Sampler
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class TrainStage:
    """One move: train one stage to return what a teacher has there, through the paths of a sampler.

    Args:
        sampler: The rule that draws the paths of a step; what they decide in other stages does not matter.
        forward: The stage that runs, and what feeds it.
        objective: Its distance from the teacher.
        combine: The rule by which the gradients of several paths become one.

    Raises:
        UsageError: the objective is another, or of another stage.
    """

    sampler: Sampler
    forward: Stage
    objective: FeatureDistance
    combine: Combine = field(default_factory=Sum)

    def __post_init__(self) -> None:
        objective: object = self.objective
        if not isinstance(objective, FeatureDistance):
            raise UsageError(
                f"A stage learns what a teacher has inside, but its loss was to be {type(objective).__name__}, which "
                "looks at the end of a network. Put that around a method whose paths run whole, such as spos()."
            )
        if self.forward.index != self.objective.stage:
            raise UsageError(
                f"Stage {self.forward.index} was to run and stage {self.objective.stage} to be compared; name the same."
            )

    @property
    def parts(self) -> tuple[str, ...]:
        """The projections, if there are any."""
        return tuple({self.forward.through, self.objective.through} - {None})  # type: ignore[arg-type]

    def check(self, net: Supernet) -> None:
        """Refuse what sampler or stage refuse."""
        self.sampler.check(net)
        self.forward.check(net)

    def moves(self, step: Step) -> Moves:
        paths = [
            Path(decisions, self.objective, forward=self.forward, settings={}) for decisions in self.sampler.paths(step)
        ]
        yield Move(
            updates=(WEIGHTS, *self.parts),
            paths=paths,
            combine=self.combine,
            prepare=partial(self.objective.prepare, paths),
        )
