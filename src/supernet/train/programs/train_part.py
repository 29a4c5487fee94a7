"""One move on a part or a slice of the network alone, everything else frozen."""

from __future__ import annotations

from dataclasses import dataclass, field

from supernet.nn import Supernet
from supernet.train.context import Moves
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.uniform import Uniform
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class TrainPart:
    """One move: a family of parameters learns through the paths of a sampler, such as a linear classifier (Π-NAS).

    Everything else stays as it is, statistics of batch norm too; in the passes it uses those of the batch.

    Args:
        paths: The rule that draws the paths of a step.
        objective: The loss of each path.
        part: The family: a part of the recipe, or a slice of the supernet.
    """

    paths: Sampler = field(default_factory=Uniform)
    objective: Objective = field(default_factory=CrossEntropy)
    part: str = "head"

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.part,)

    def check(self, net: Supernet) -> None:
        self.paths.check(net)

    def moves(self, step: Step) -> Moves:
        paths = [Path(decisions, self.objective) for decisions in self.paths.paths(step)]
        yield Move(updates=self.part, paths=paths)
