"""A prediction of what a teacher says of another view (BYOL)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.info_nce import KEYS


@dataclass(frozen=True, kw_only=True)
class LatentPrediction:
    """2 − 2 q·k, a mean over the images; q is what the path returned and k its key, both of length one.

    BYOL ([arXiv 2006.07733](https://arxiv.org/abs/2006.07733), eq. 2).

    Args:
        labels: The loss of an architecture that is trained alone, which has labels.
    """

    labels: Objective = field(default_factory=CrossEntropy)

    def chance(self, of_task: float) -> None:
        """None: labels play no part."""

    def alone(self) -> Objective:
        """The loss of the labels."""
        return alone(self.labels)

    def __call__(self, outcome: Outcome) -> Tensor:
        keys: Sequence[Tensor] = outcome.given[KEYS]
        return 2 - 2 * (outcome.logits * keys[len(outcome.earlier)]).sum(1).mean()
