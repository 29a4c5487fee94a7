"""Two moves, on the architecture and on the weights (DARTS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.context import Edit, Moves
from supernet.train.gradients._protocol import GradientRule
from supernet.train.gradients.unrolled import Unrolled
from supernet.train.move import Forward, Move, Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations._protocol import are_open, drawn, weighed
from supernet.train.parametrisations.operation_choices import require_mixable
from supernet.train.part import WEIGHTS
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.relaxations.softmax import Softmax
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class Bilevel:
    """Two moves: the architecture on validation data, the weights on training data (DARTS, algorithm 1).

    [arXiv 1806.09055](https://arxiv.org/abs/1806.09055). Once every choice is decided, the architecture moves no more.

    Args:
        relaxation: The rule by which logits become mixtures, such as `Softmax()`.
        objective: The loss of the paths of both moves.
        order: 1 takes the weights as constant in the architecture's gradient; 2 unrolls one step of them.
        clip_ahead: The largest norm of the weights' gradients in that step; None: no clipping. Only of order 2.
        first: Family that moves first. DARTS begins with the architecture, AutoDL-Projects with the weights.
        begin: Share of the training, in [0, 1], in which only the weights learn; the architecture starts after it. With
            1 it never moves, and its part needs no updates.
        every: The architecture moves in every step whose number is a multiple of this.
        weights_relaxation: The rule for the paths that train the weights; None: the same.
        weights_gradient: How the gradient of the weights is computed; None: backpropagation.
        architecture_objective: The loss of the paths that train the architecture; None: the same.
        forward: How the paths run; None: the supernet on the images of the batch.
        before: Edits that are applied at the beginning of every step.
        part: The part of the recipe that holds what is learned about the architecture.
    """

    relaxation: Relaxation = field(default_factory=Softmax)
    objective: Objective = field(default_factory=CrossEntropy)
    order: Literal[1, 2] = 1
    clip_ahead: float | None = None
    first: Literal["architecture", "weights"] = "architecture"
    begin: float = 0.0
    every: int = 1
    weights_relaxation: Relaxation | None = None
    weights_gradient: GradientRule | None = None
    architecture_objective: Objective | None = None
    forward: Forward | None = None
    before: tuple[Edit, ...] = ()
    part: str = "architecture"

    def __post_init__(self) -> None:
        if self.order not in (1, 2):
            raise UsageError(f"The order of the architecture's gradient is 1 or 2; got {self.order!r}.")
        if self.clip_ahead is not None:
            check_number("The largest norm of the gradients ahead (None for none)", self.clip_ahead, above=0)
        if self.first not in ("architecture", "weights"):
            raise UsageError(f"The family that moves first is 'architecture' or 'weights'; got {self.first!r}.")
        if not 0 <= self.begin <= 1:
            raise UsageError(f"The architecture begins to learn after a share in [0, 1]; got {self.begin}.")
        if self.every < 1:
            raise UsageError(f"The architecture moves in one of every {self.every} steps; give at least 1.")

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.part,) if self.begin < 1 else ()

    def check(self, net: Supernet) -> None:
        if self.clip_ahead is not None and self.order == 1:
            raise UsageError(
                f"clip_ahead={self.clip_ahead} is about the step that order=2 unrolls; leave it out, or say order=2."
            )
        require_mixable(net, "A differentiable method", sets=True)

    def probabilities(self, parts: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """How strongly each option is taken, by choice name (O,), as it was trained: through the relaxation."""
        return weighed(parts, self.part, self.relaxation)

    def moves(self, step: Step) -> Moves:
        yield from self.before
        for family in (self.part, WEIGHTS) if self.first == "architecture" else (WEIGHTS, self.part):
            if family == WEIGHTS:
                decisions = drawn(step, self.part, self.weights_relaxation or self.relaxation, WEIGHTS)
                path = Path(decisions, self.objective, forward=self.forward)
                yield Move(paths=[path], gradient=self.weights_gradient)
            elif step.progress >= self.begin and step.index % self.every == 0:
                decisions = drawn(step, self.part, self.relaxation, family)
                if not are_open(decisions):
                    continue
                path = Path(decisions, self.architecture_objective or self.objective, forward=self.forward)
                unrolled = Unrolled(part=self.part, clip_norm=self.clip_ahead) if self.order == 2 else None
                yield Move(updates=family, data="validation", paths=[path], gradient=unrolled)
