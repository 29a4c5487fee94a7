"""One move on the weights and the architecture at once (SNAS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from supernet.nn import Supernet
from supernet.train.context import Moves
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.parametrisations._protocol import are_open, drawn, weighed
from supernet.train.parametrisations.operation_choices import require_mixable
from supernet.train.part import WEIGHTS
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.relaxations.softmax import Softmax
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class SingleLevel:
    """One move: weights and architecture by one gradient of one loss on one batch (SNAS, eq. 5).

    [arXiv 1812.09926](https://arxiv.org/abs/1812.09926). Once every choice is decided, only the weights move.

    Args:
        relaxation: The rule by which logits become mixtures.
        objective: The loss of the path.
        data: The split that the batch comes from.
        part: The part of the recipe that holds what is learned about the architecture.
        also: Further families that the move changes, such as a slice of the supernet.
    """

    relaxation: Relaxation = field(default_factory=Softmax)
    objective: Objective = field(default_factory=CrossEntropy)
    data: str = "train"
    part: str = "architecture"
    also: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.part, *self.also)

    def check(self, net: Supernet) -> None:
        require_mixable(net, "A differentiable method", sets=True)

    def probabilities(self, parts: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """How strongly each option is taken, by choice name (O,), as it was trained: through the relaxation."""
        return weighed(parts, self.part, self.relaxation)

    def moves(self, step: Step) -> Moves:
        decisions = drawn(step, self.part, self.relaxation, WEIGHTS)
        families = (WEIGHTS, *self.also, *([self.part] if are_open(decisions) else []))
        yield Move(updates=families, data=self.data, paths=[Path(decisions, self.objective)])
