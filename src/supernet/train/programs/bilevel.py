"""Two moves, on the architecture and on the weights (DARTS)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.gradients.unrolled import Unrolled
from supernet.train.move import Move, Objective, Path, Step
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.parametrisations.operation_choices import require_operations_only
from supernet.train.parametrisations.option_logits import ArchitectureParameters
from supernet.train.relaxations._protocol import Relaxation, relaxed
from supernet.train.relaxations.softmax import Softmax


@dataclass(frozen=True, kw_only=True)
class Bilevel:
    """Two moves: the architecture on validation data, the weights on training data (DARTS, algorithm 1).

    [arXiv 1806.09055](https://arxiv.org/abs/1806.09055).

    Args:
        relaxation: The rule by which logits become mixtures, such as `Softmax()`.
        objective: The loss of the paths of both moves.
        order: 1 takes the weights as constant in the architecture's gradient; 2 unrolls one step of them.
        first: Family that moves first. DARTS begins with the architecture, AutoDL-Projects with the weights.
        begin: Share of the training, in [0, 1), in which only the weights learn; the architecture starts after it.
    """

    relaxation: Relaxation = field(default_factory=Softmax)
    objective: Objective = field(default_factory=CrossEntropy)
    order: Literal[1, 2] = 1
    first: Literal["architecture", "weights"] = "architecture"
    begin: float = 0.0
    learns_architecture = True

    def __post_init__(self) -> None:
        if self.order not in (1, 2):
            raise UsageError(f"The order of the architecture's gradient is 1 or 2; got {self.order!r}.")
        if self.first not in ("architecture", "weights"):
            raise UsageError(f"The family that moves first is 'architecture' or 'weights'; got {self.first!r}.")
        if not 0 <= self.begin <= 1:
            raise UsageError(f"The architecture begins to learn after a share in [0, 1]; got {self.begin}.")

    def check(self, net: Supernet) -> None:
        require_operations_only(net, "A differentiable method")

    def probabilities(self, architecture: ArchitectureParameters) -> dict[str, Tensor]:
        """How strongly each option is taken, by choice name (O,), as it was trained: through the relaxation."""
        return {
            choice.name: self.relaxation.probabilities(logits.detach())
            for choice, logits in zip(architecture.choices, architecture.logits, strict=True)
        }

    def moves(self, step: Step) -> Iterator[Move]:
        order = ("architecture", "weights") if self.first == "architecture" else ("weights", "architecture")
        for family in order:
            path = Path(relaxed(self.relaxation, step), self.objective)
            if family == "weights":
                yield Move(updates="weights", data="train", paths=[path])
            elif step.progress >= self.begin:
                unrolled = Unrolled() if self.order == 2 else None
                yield Move(updates="architecture", data="validation", paths=[path], gradient=unrolled)
