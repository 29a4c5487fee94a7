"""How far generated images are from those that they were made of, in the eyes of a classifier of domains."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from supernet.errors import UsageError
from supernet.train.forwards.to_novel_domain import images_of
from supernet.train.move import Outcome
from supernet.train.objectives.sinkhorn import sinkhorn
from supernet.train.optimisers._protocol import check_number
from supernet.train.parts.image_classifier import ImageClassifier


@dataclass(frozen=True, kw_only=True)
class Transport:
    """The cost of transport from generated to real images of a batch, see `sinkhorn` (NAS-OoD).

    [ICCV 2021](https://arxiv.org/abs/2109.02038). Images are compared by the features that a classifier of domains sees
    in them.

    Args:
        away: Whether the loss is minus the cost, so that generated images become unlike all known domains.
        epsilon: ε, the weight of the entropy.
        iterations: The most iterations.
        tolerance: The change of the potentials at which they end.
        part: The part of the recipe that is the classifier.

    Raises:
        UsageError: a value outside its range.
    """

    away: bool = False
    epsilon: float = 1.0
    iterations: int = 100
    tolerance: float = 0.1
    part: str = "domains"

    def __post_init__(self) -> None:
        check_number("The entropy of the transport", self.epsilon, above=0)
        check_number("The tolerance of the transport", self.tolerance, at_least=0)
        if self.iterations < 1:
            raise UsageError(f"The transport is found in {self.iterations} iterations; give at least 1.")

    def chance(self, of_task: float) -> None:
        """None: it is no loss of labels."""

    def __call__(self, outcome: Outcome) -> Tensor:
        classifier = outcome.step.part(self.part, ImageClassifier)
        made, real = classifier.features(outcome.logits), classifier.features(images_of(outcome.batch))
        cost, _ = sinkhorn(made, real, epsilon=self.epsilon, iterations=self.iterations, tolerance=self.tolerance)
        return -cost if self.away else cost
