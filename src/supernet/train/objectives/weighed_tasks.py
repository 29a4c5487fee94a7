"""An objective in which every task has a factor of its own (FBNetV5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from supernet.tasks.several import weighed
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy


@dataclass(frozen=True)
class WeighedTasks:
    """Σ_t γ_t ℓ_t: an objective of several tasks (`tasks.Joint`) with factors on the weights of their losses.

    FBNetV5, [arXiv 2111.10007](https://arxiv.org/abs/2111.10007).

    Args:
        objective: The objective, which asks the task of the step for its loss.
        factors: γ_t by task.
    """

    objective: Objective = field(default_factory=CrossEntropy)
    factors: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def taps(self) -> tuple[str, ...]:
        """The modules whose results the objective sees."""
        found: tuple[str, ...] = getattr(self.objective, "taps", ())
        return found

    def __call__(self, outcome: Outcome) -> Tensor | Mapping[str, Tensor]:
        """The loss, as the objective gives it."""
        step = replace(outcome.step, task=weighed(outcome.step.task, self.factors))
        return self.objective(replace(outcome, step=step))
