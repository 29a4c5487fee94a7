"""The weights learn from the images of the batch and, from some time on, from translated ones beside them (NAS-OoD)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from supernet.nn import Supernet
from supernet.train.context import Moves
from supernet.train.forwards.on_generated import WithGenerated
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.first_again import FirstAgain
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations._protocol import drawn, weighed
from supernet.train.parametrisations.operation_choices import require_mixable
from supernet.train.part import WEIGHTS
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.relaxations.softmax import Softmax
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class BesideGenerated:
    """One move on the weights: the batch, and its first images translated to the novel domain, in one pass (NAS-OoD).

    [ICCV 2021](https://arxiv.org/abs/2109.02038), released code. The generator learns no more.

    Args:
        objective: The loss, a mean over all images of the pass.
        relaxation: The rule by which logits become mixtures, of choices that are not decided.
        begin: The progress in [0, 1] from which translated images are added; before it the batch is alone.
        share: Their number as a share of the batch.
        also: Further families that the move changes, such as a slice of the supernet.
        part: The part of the recipe that holds what was learned about the architecture.
        generator: The part that translates.

    Raises:
        UsageError: a value outside its range.
    """

    objective: Objective = field(default_factory=CrossEntropy)
    relaxation: Relaxation = field(default_factory=Softmax)
    begin: float = 0.5
    share: float = 0.5
    also: tuple[str, ...] = ()
    part: str = "architecture"
    generator: str = "generator"

    def __post_init__(self) -> None:
        check_number("The progress from which translated images are added", self.begin, at_least=0, at_most=1)
        WithGenerated(share=self.share)

    @property
    def parts(self) -> tuple[str, ...]:
        return self.also

    def check(self, net: Supernet) -> None:
        require_mixable(net, "A differentiable method", sets=True)

    def probabilities(self, parts: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """How strongly each option is taken, by choice name (O,), as it was trained: through the relaxation."""
        return weighed(parts, self.part, self.relaxation)

    def moves(self, step: Step) -> Moves:
        decisions = drawn(step, self.part, self.relaxation, WEIGHTS)
        share = self.share if step.progress >= self.begin else 0.0
        forward = WithGenerated(share=share, part=self.generator)
        yield Move(updates=(WEIGHTS, *self.also), paths=[Path(decisions, FirstAgain(self.objective), forward=forward)])
