"""Labels and a teacher, as well as the teacher suits the path (Cream)."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from supernet.errors import UsageError
from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.terms import total
from supernet.train.optimisers._protocol import check_number


@dataclass(frozen=True)
class MatchedDistillation:
    """½ [ρ H(teacher, path) + (2 − ρ) L(labels)]; the teacher is the path before it in the move, without a gradient.

    Cream, [arXiv 2010.15821](https://arxiv.org/abs/2010.15821), §3.2 and released code.

    Args:
        match: ρ, in [0, 1].
        labels: The loss of the labels.

    Raises:
        UsageError: ρ is outside [0, 1], or there is no path before it.
    """

    match: float
    labels: Objective = field(default_factory=CrossEntropy)

    def __post_init__(self) -> None:
        check_number("The match of teacher and path", self.match, at_least=0, at_most=1)

    def alone(self) -> Objective:
        """The loss of the labels: an architecture that is trained alone has no teacher."""
        return alone(self.labels)

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        """The terms `labels` and `distillation`."""
        if not outcome.earlier:
            raise UsageError("A path was to learn from the one before it, but it is the first. Put its teacher first.")
        teacher = outcome.earlier[-1].output
        taught = outcome.step.task.distillation(outcome.output, teacher, outcome.batch)
        labels = total(self.labels(outcome))
        return {"labels": (2 - self.match) / 2 * labels, "distillation": self.match / 2 * taught}
