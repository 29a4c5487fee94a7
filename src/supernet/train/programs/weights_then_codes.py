"""Training a dictionary of weights and the codes that mix it, in turn (K-shot NAS)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.adapt.dictionary import dictionary_of
from supernet.train.gradients.of_codes import OfCodes, OfWeights
from supernet.train.move import Move, Objective, Path, Step
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.uniform import Uniform


@dataclass(frozen=True, kw_only=True)
class WeightsThenCodes:
    """Two moves over the same paths: the sets of weights, then the network that computes codes.

    Args:
        sampler: The rule that draws the paths of a step.
        objective: The loss of each path, in both moves.
        rate: The learning rate of the second move, as a factor on that of the first.
        entropy: Weight of the mean entropy of the codes, which the second move also raises. It keeps codes from
            collapsing onto one set.
        data: Split that the second move learns from.
    """

    sampler: Sampler = field(default_factory=Uniform)
    objective: Objective = field(default_factory=CrossEntropy)
    rate: float = 0.1
    entropy: float = 0.0
    data: Literal["train", "validation"] = "train"
    learns_architecture = False

    def __post_init__(self) -> None:
        if not self.rate > 0 or self.entropy < 0:
            raise UsageError(f"rate={self.rate} must be above 0, and entropy={self.entropy} at least 0.")
        if self.data not in ("train", "validation"):
            raise UsageError(f"Codes learn from the 'train' or the 'validation' split; got {self.data!r}.")

    def check(self, net: Supernet) -> None:
        dictionary_of(net)
        self.sampler.check(net)

    def moves(self, step: Step) -> Iterator[Move]:
        drawn = self.sampler.paths(step)
        yield Move(paths=[Path(decisions, self.objective) for decisions in drawn], gradient=OfWeights())
        paths = [Path(decisions, self.objective, weight=self.rate) for decisions in drawn]
        yield Move(paths=paths, data=self.data, gradient=OfCodes(self.rate * self.entropy))
