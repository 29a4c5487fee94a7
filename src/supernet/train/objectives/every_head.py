"""One loss of several classifiers, or what they disagree on."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.terms import total


@dataclass(frozen=True)
class EveryHead:
    """The sum of one loss over the logits of a network and those of all its heads (MCD, eq. 2).

    Saito et al., [arXiv 1712.02560](https://arxiv.org/abs/1712.02560).

    Args:
        objective: The loss of one classifier.
    """

    objective: Objective = field(default_factory=CrossEntropy)

    def chance(self, of_task: float) -> float | None:
        """None: it is as many times that of the task as there are classifiers."""
        return None

    def alone(self) -> EveryHead:
        """The same around what the loss is for one architecture."""
        return replace(self, objective=alone(self.objective))

    def __call__(self, outcome: Outcome) -> Tensor:
        every = (outcome.logits, *outcome.output.heads.values())
        return torch.stack([total(self.objective(outcome.of_head(logits))) for logits in every]).sum()


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """How much the classifiers of a network contradict each other: the sum over pairs of the distance of p_i and p_j.

    Saito et al. (MCD), [arXiv 1712.02560](https://arxiv.org/abs/1712.02560), eq. 1; of more than two classifiers NASDA,
    [arXiv 2008.05706](https://arxiv.org/abs/2008.05706). p are the probabilities of the logits and of every head;
    labels are not looked at.

    Args:
        distance: `"mean"`: Σ |p_i − p_j| / K over the K classes, as in MCD; `"sum"`: without the division. Both are a
            mean over the batch.
        away: Whether the loss is minus that, so that they come to disagree.

    Raises:
        UsageError: another distance; while it runs, a network with one classifier alone.
    """

    distance: Literal["mean", "sum"] = "mean"
    away: bool = False

    def __post_init__(self) -> None:
        if self.distance not in ("mean", "sum"):
            raise UsageError(f"Probabilities are compared by 'mean' or 'sum' over the classes; got {self.distance!r}.")

    def chance(self, of_task: float) -> None:
        """None: it is no loss of labels."""

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        every = [logits.softmax(-1) for logits in (outcome.logits, *outcome.output.heads.values())]
        if len(every) < 2:
            raise UsageError("One classifier alone cannot be contradicted; give the network further ones.")
        apart = torch.stack([(p - q).abs().sum(-1).mean() for p, q in itertools.combinations(every, 2)]).sum()
        found = apart / every[0].shape[-1] if self.distance == "mean" else apart
        return {"disagreement": -found if self.away else found}
