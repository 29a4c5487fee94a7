"""Relations to other images are those that a teacher sees (ReSSL)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.info_nce import KEYS, negatives
from supernet.train.optimisers._protocol import check_number


@dataclass(frozen=True, kw_only=True)
class Relations:
    """H( softmax(k·n / τ_t), softmax(q·n / τ_s) ) over the keys n of a queue, a mean over the images.

    ReSSL ([arXiv 2107.09282](https://arxiv.org/abs/2107.09282), eq. 4). H is the cross-entropy, q what the path
    returned for an image and k its key; all have length one.

    Args:
        temperature: τ_s, of the queries.
        teacher_temperature: τ_t, of the keys.
        queue: The part of the recipe that holds the queue.
        labels: The loss of an architecture that is trained alone, which has labels.

    Raises:
        UsageError: a temperature that is not positive.
    """

    temperature: float = 0.1
    teacher_temperature: float = 0.04
    queue: str = "queue"
    labels: Objective = field(default_factory=CrossEntropy)

    def __post_init__(self) -> None:
        check_number("The temperature", self.temperature, above=0)
        check_number("The temperature of the teacher", self.teacher_temperature, above=0)

    def chance(self, of_task: float) -> None:
        """None: labels play no part."""

    def alone(self) -> Objective:
        """The loss of the labels."""
        return alone(self.labels)

    def __call__(self, outcome: Outcome) -> Tensor:
        keys: Sequence[Tensor] = outcome.given[KEYS]
        others = negatives(outcome, self.queue).T
        wanted = (keys[len(outcome.earlier)] @ others / self.teacher_temperature).softmax(1)
        return -(wanted * (outcome.logits @ others / self.temperature).log_softmax(1)).sum(1).mean()
