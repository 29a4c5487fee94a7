"""A program of several updates per step."""

from __future__ import annotations

from dataclasses import dataclass, field

from supernet.nn import Supernet
from supernet.train.context import Moves
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.samplers._protocol import Sampler
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class TrainInTurn:
    """One move per path: the paths of a sampler are trained one after another, each on a batch of its own.

    The sampler draws them all before the first move. A step has as many updates as paths, at one learning rate.

    Args:
        sampler: The rule that draws the paths of a step.
        objective: The loss of each path.
    """

    sampler: Sampler
    objective: Objective = field(default_factory=CrossEntropy)
    parts = ()
    one_by_one = True

    def check(self, net: Supernet) -> None:
        self.sampler.check(net)

    def moves(self, step: Step) -> Moves:
        for decisions in self.sampler.paths(step):
            yield Move(paths=[Path(decisions, self.objective)], fresh=True)
