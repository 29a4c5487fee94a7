"""One move on the weights and on slices of the supernet, through the paths of a sampler (SMASH)."""

from __future__ import annotations

from dataclasses import dataclass, field

from supernet.nn import Supernet
from supernet.train.context import Moves
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.part import WEIGHTS
from supernet.train.samplers._protocol import Sampler
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class TrainTogether:
    """One move: the weights and further families learn by one gradient of the same paths on one batch.

    Args:
        sampler: The rule that draws the paths of a step.
        also: The families beside the weights, each stepped in a way of its own, such as a `Slice` of the supernet.
        objective: The loss of each path.
    """

    sampler: Sampler
    also: tuple[str, ...]
    objective: Objective = field(default_factory=CrossEntropy)

    @property
    def parts(self) -> tuple[str, ...]:
        return self.also

    def check(self, net: Supernet) -> None:
        self.sampler.check(net)

    def moves(self, step: Step) -> Moves:
        paths = [Path(decisions, self.objective) for decisions in self.sampler.paths(step)]
        yield Move(updates=(WEIGHTS, *self.also), paths=paths)
