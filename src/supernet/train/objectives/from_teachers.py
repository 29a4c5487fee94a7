"""Learning from what networks outside say (NASViT)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import Tensor

from supernet.errors import UsageError
from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.parts.teachers import TaughtBy


@dataclass(frozen=True, kw_only=True)
class FromTeachers:
    """The cross-entropy of the path with what teachers say of the same images; no label counts.

    NASViT ([OpenReview](https://openreview.net/forum?id=Qaw16njk6L), released code). The teachers run once for each
    path that learns by it. They are no passes of the supernet, so the log does not count theirs.

    Args:
        part: The name of the part of the recipe that holds them, see `Teachers`.
        labels: The loss of an architecture that is trained alone, without teachers.

    Raises:
        UsageError: while it runs, no such part, or teachers of another number of classes.
    """

    part: str = "teachers"
    labels: Objective = field(default_factory=CrossEntropy)

    def chance(self, of_task: float) -> None:
        """None: what teachers say is not known beforehand."""

    def alone(self) -> Objective:
        """The loss of the labels."""
        return alone(self.labels)

    def __call__(self, outcome: Outcome) -> Tensor:
        target: Tensor = outcome.step.part(self.part, TaughtBy)(outcome.batch.x)
        if target.shape != outcome.logits.shape:
            raise UsageError(
                f"The teachers say {tuple(target.shape)} probabilities, and the supernet returns "
                f"{tuple(outcome.logits.shape)} logits; both have to know the same classes."
            )
        return F.cross_entropy(outcome.logits, target)
