"""A loss of more logits than there are labels, because the first images of the batch ran once more in another form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from supernet.data import Batch
from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy


@dataclass(frozen=True)
class FirstAgain:
    """A loss in which logits beyond the batch are of its first images again, with their labels (NAS-OoD, stage 2).

    Args:
        objective: The loss, a mean over all logits.
    """

    objective: Objective = field(default_factory=CrossEntropy)

    def chance(self, of_task: float) -> float | None:
        """That of the loss."""
        asked = getattr(self.objective, "chance", None)
        return None if asked is None else asked(of_task)

    def alone(self) -> Objective:
        """The loss itself: an architecture that is trained alone sees every image once."""
        return alone(self.objective)

    def __call__(self, outcome: Outcome) -> Tensor | Mapping[str, Tensor]:
        labels = outcome.batch.labels
        if more := len(outcome.logits) - len(labels):
            labels = torch.cat([labels, labels[:more]])
        return self.objective(replace(outcome, batch=Batch(outcome.batch.x, labels)))
