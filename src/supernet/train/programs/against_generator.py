"""Weights and architecture learn from translated images, and what translates them makes them harder (NAS-OoD)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.context import Moves
from supernet.train.forwards.on_generated import OnGenerated
from supernet.train.forwards.to_novel_domain import ToNovelDomain
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.cycle import Cycle
from supernet.train.parametrisations._protocol import are_open, drawn, weighed
from supernet.train.parametrisations.operation_choices import require_mixable
from supernet.train.part import WEIGHTS
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.relaxations.softmax import Softmax
from supernet.train.step import Step

Opponent = Literal["reversal", "in_turn"]


@dataclass(frozen=True, kw_only=True)
class AgainstGenerator:
    """min over weights and architecture, max over the generator, of the loss of images in a novel domain (NAS-OoD).

    [ICCV 2021](https://arxiv.org/abs/2109.02038). On one batch,

    1. the generator descends on what makes it a translator (`translation`);
    2. weights and architecture descend on the loss of translated images, and the generator climbs on the same loss:
       its gradient is turned around where its images enter the supernet.

    Args:
        translation: The loss of the generator as a translator, which sees `ToNovelDomain`.
        objective: The loss of the task.
        relaxation: The rule by which logits become mixtures.
        share: The share of the batch that is translated; the rest is as it is.
        opponent: `"reversal"`: the second step of the generator is in the move on weights and architecture, by the
            same gradient; `"in_turn"`: that move gives it none, and a third move climbs once they have moved.
        accumulate: Whether the second step of the generator adds the gradient of the translation to its own, as in the
            released code, which does not clear it.
        part: The part of the recipe that holds what is learned about the architecture.
        generator: The part that translates.

    Raises:
        UsageError: a share outside [0, 1], none translated, or another opponent.
    """

    translation: Objective = field(default_factory=Cycle)
    objective: Objective = field(default_factory=CrossEntropy)
    relaxation: Relaxation = field(default_factory=Softmax)
    share: float = 1.0
    opponent: Opponent = "reversal"
    accumulate: bool = False
    part: str = "architecture"
    generator: str = "generator"

    def __post_init__(self) -> None:
        OnGenerated(share=self.share)
        if self.share == 0:
            raise UsageError("No image was to be translated (share=0), so that there is nothing to climb on.")
        if self.opponent not in ("reversal", "in_turn"):
            raise UsageError(f"The generator climbs by 'reversal' or 'in_turn'; got {self.opponent!r}.")

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.part, self.generator)

    def check(self, net: Supernet) -> None:
        require_mixable(net, "A differentiable method", sets=True)

    def probabilities(self, parts: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """How strongly each option is taken, by choice name (O,), as it was trained: through the relaxation."""
        return weighed(parts, self.part, self.relaxation)

    def moves(self, step: Step) -> Moves:
        translate = Path(step.net.space.smallest(), self.translation, forward=ToNovelDomain(self.generator))
        yield Move(updates=self.generator, paths=[translate])
        decisions = drawn(step, self.part, self.relaxation, WEIGHTS)
        families = (WEIGHTS, *([self.part] if are_open(decisions) else []))
        seen = OnGenerated(share=self.share, part=self.generator)
        path, again = Path(decisions, self.objective), [translate] if self.accumulate else []
        if self.opponent == "reversal":
            climbs = replace(path, forward=replace(seen, gradient="reversed"))
            yield Move(updates=(*families, self.generator), paths=[climbs, *again])
        else:
            yield Move(updates=families, paths=[replace(path, forward=seen)])
            # What was learned about the architecture has moved.
            moved = drawn(step, self.part, self.relaxation, WEIGHTS)
            climbs = Path(moved, self.objective, weight=-1.0, forward=replace(seen, gradient="plain"))
            yield Move(updates=self.generator, paths=[climbs, *again])
