"""A path predicts what the average network says of other views of the images, through all paths (BossNAS)."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.parts.siamese_heads import SiameseHeads

ENSEMBLE = "ensemble"
"""The key of `Outcome.given` under which the means of the targets of both views are."""

OTHER_VIEW = "other view"
"""The head of the output that holds the features of the second view."""


@dataclass(frozen=True, kw_only=True)
class EnsemblePrediction:
    """2 − 2 cos(prediction, ensemble), summed over both views, each of which predicts the ensemble of the other.

    BossNAS, [arXiv 2103.12424](https://arxiv.org/abs/2103.12424), §3.3: the ensemble is the mean over the paths of a
    step of the unit vectors that the average network projects them to. The prediction is made of the features
    (B, C, H, W) of a stage by a projector and a predictor.

    Args:
        stage: Number of the stage, from 0, whose heads are used.
        heads: The part of the recipe that holds them (`SiameseHeads`).
    """

    stage: int
    heads: str = "heads"

    def chance(self, of_task: float) -> float | None:
        """None: labels play no part."""
        return None

    def alone(self) -> Objective:
        """Cross-entropy: one architecture alone learns from labels."""
        return CrossEntropy()

    def __call__(self, outcome: Outcome) -> Tensor:
        heads = outcome.step.part(self.heads, SiameseHeads)
        first, second = outcome.given[ENSEMBLE]
        views = ((outcome.output.logits, second), (outcome.output.heads[OTHER_VIEW], first))
        losses = [apart(heads.predicted(self.stage, features), target) for features, target in views]
        return losses[0] + losses[1]


def apart(prediction: Tensor, target: Tensor) -> Tensor:
    """The mean of 2 − 2 cos over the rows of two matrices (B, D).

    >>> import torch
    >>> apart(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [3.0, 0.0]])).item()
    1.0
    """
    return 2 - 2 * F.cosine_similarity(prediction, target, dim=1).mean()
