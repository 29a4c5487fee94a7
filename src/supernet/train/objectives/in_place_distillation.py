"""In-place distillation (US-Nets, BigNAS)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from supernet.errors import UsageError
from supernet.train.move import Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy


@dataclass(frozen=True)
class InPlaceDistillation:
    """The first path of the move learns from labels, the others from the first (US-Nets, §3.3; BigNAS, §3.1).

    US-Nets: [arXiv 1903.05134](https://arxiv.org/abs/1903.05134); BigNAS:
    [arXiv 2003.11142](https://arxiv.org/abs/2003.11142).

    The target is the softmax of the first path's logits, without gradient, at the current weights.

    Args:
        label_smoothing: Share of the target of the first path's cross-entropy that is spread evenly over the classes.
        temperature: T of both softmaxes; the loss is scaled by T² so that its gradient keeps its size.
        hard: Weight of the labels for the others, in [0, 1]; the papers use none.
    """

    label_smoothing: float = 0.0
    temperature: float = 1.0
    hard: float = 0.0

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise UsageError(f"The distillation temperature is {self.temperature}; it must be positive.")
        if not 0 <= self.hard <= 1:
            raise UsageError(f"The weight of the hard labels is {self.hard}; it must lie in [0, 1].")

    def chance(self, of_task: float) -> float | None:
        """That of the task; None at a temperature that scales the loss of all paths but the first."""
        return of_task if self.temperature == 1 else None

    def __call__(self, outcome: Outcome) -> Tensor:
        labels = CrossEntropy(self.label_smoothing)
        if not outcome.earlier:
            return labels(outcome)
        teacher = outcome.earlier[0].output
        task = outcome.step.task
        soft = task.distillation(outcome.output, teacher, outcome.batch, temperature=self.temperature)
        return soft if self.hard == 0 else (1 - self.hard) * soft + self.hard * labels(outcome)

    def alone(self) -> CrossEntropy:
        """What the first path learns from: a lone architecture has no teacher."""
        return CrossEntropy(self.label_smoothing)
