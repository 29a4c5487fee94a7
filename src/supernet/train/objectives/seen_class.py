"""Whether a classifier still sees in generated images what their labels say."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from supernet.train.move import Outcome
from supernet.train.parts.image_classifier import ImageClassifier


@dataclass(frozen=True)
class SeenClass:
    """Cross-entropy with the labels of what a classifier says of the images that a path returned (NAS-OoD).

    Args:
        part: The part of the recipe that is the classifier, which itself does not learn from it.
    """

    part: str = "categories"

    def chance(self, of_task: float) -> float:
        """That of the task."""
        return of_task

    def __call__(self, outcome: Outcome) -> Tensor:
        return F.cross_entropy(outcome.step.part(self.part, ImageClassifier)(outcome.logits), outcome.batch.labels)
