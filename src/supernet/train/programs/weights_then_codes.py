"""Training a dictionary of weights and the codes that mix it, in turn (K-shot NAS)."""

from __future__ import annotations

from dataclasses import dataclass, field

from supernet.nn import Supernet
from supernet.train.adapt.dictionary import dictionary_of
from supernet.train.context import Moves
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.code_entropy import CodeEntropy
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.optimisers._protocol import check_number
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.uniform import Uniform
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class WeightsThenCodes:
    """Two moves over the same paths: the sets of weights, then the family `"codes"`, the network that computes codes.

    Args:
        sampler: The rule that draws the paths of a step.
        objective: The loss of each path, in both moves.
        entropy: Weight of the mean entropy of the codes, which the second move also raises. It keeps codes from
            collapsing onto one set.
        data: Split that the second move learns from.
    """

    sampler: Sampler = field(default_factory=Uniform)
    objective: Objective = field(default_factory=CrossEntropy)
    entropy: float = 0.0
    data: str = "train"
    parts = ("codes",)

    def __post_init__(self) -> None:
        check_number("The weight of the codes' entropy", self.entropy, at_least=0)

    def check(self, net: Supernet) -> None:
        dictionary_of(net)
        self.sampler.check(net)

    def moves(self, step: Step) -> Moves:
        paths = [Path(decisions, self.objective) for decisions in self.sampler.paths(step)]
        yield Move(paths=paths)
        objective = CodeEntropy(self.objective, self.entropy) if self.entropy else self.objective
        yield Move(updates="codes", data=self.data, paths=[Path(path.decisions, objective) for path in paths])
