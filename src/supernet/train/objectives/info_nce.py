"""A direction is told from those of other images: InfoNCE with a queue (MoCo), across paths (Π-NAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.optimisers._protocol import check_number
from supernet.train.parts.key_queue import KeyQueue

KEYS = "keys"
"""Under this name `Outcome.given` has the keys (B, width) for each path of a move: what is right for it."""

NEGATIVES = "negatives"
"""Under this name it may have, for each path, the keys (size, width) of other images, in place of the queue's."""


@dataclass(frozen=True, kw_only=True)
class InfoNCE:
    """−log( exp(q·k / τ) / (exp(q·k / τ) + Σ exp(q·n / τ)) ), a mean over the images.

    MoCo ([arXiv 1911.05722](https://arxiv.org/abs/1911.05722), eq. 1). q is what the path returned for an image, k its
    key, n goes through the queue; all have length one.

    Args:
        temperature: τ.
        queue: The part of the recipe that holds the queue.
        labels: The loss of an architecture that is trained alone, which has labels.

    Raises:
        UsageError: a temperature that is not positive.
    """

    temperature: float = 0.2
    queue: str = "queue"
    labels: Objective = field(default_factory=CrossEntropy)

    def __post_init__(self) -> None:
        check_number("The temperature", self.temperature, above=0)

    def chance(self, of_task: float) -> None:
        """None: how well chance would do depends on the queue."""

    def alone(self) -> Objective:
        """The loss of the labels."""
        return alone(self.labels)

    def __call__(self, outcome: Outcome) -> Tensor:
        keys: Sequence[Tensor] = outcome.given[KEYS]
        right = keys[len(outcome.earlier)]
        others = negatives(outcome, self.queue)
        similar = torch.cat([(outcome.logits * right).sum(1, keepdim=True), outcome.logits @ others.T], dim=1)
        return F.cross_entropy(similar / self.temperature, similar.new_zeros(len(similar), dtype=torch.int64))


def negatives(outcome: Outcome, queue: str) -> Tensor:
    """The keys (size, width) of other images that the path is told from.

    Args:
        outcome: What the path returned, and what it was given.
        queue: The part of the recipe that holds them where none are given.
    """
    given: Sequence[Tensor] | None = outcome.given.get(NEGATIVES)
    return outcome.step.part(queue, KeyQueue).keys if given is None else given[len(outcome.earlier)]
