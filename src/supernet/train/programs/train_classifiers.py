"""Classifiers of domains and of classes learn, before a generator is judged by them."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.nn import Supernet
from supernet.train.context import Moves
from supernet.train.forwards.through_classifier import ThroughClassifier
from supernet.train.move import Move, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.domain_cross_entropy import DomainCrossEntropy
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class TrainClassifiers:
    """A move on a classifier of domains, then one on a classifier of classes, on one batch (NAS-OoD).

    The supernet does not run. The batches say which domains their images come from, see `WithDomains`.

    Args:
        domains: The part of the recipe that tells domains apart, an `ImageClassifier`.
        categories: The part that tells classes apart.
    """

    domains: str = "domains"
    categories: str = "categories"

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.domains, self.categories)

    def check(self, net: Supernet) -> None:
        """Any network will do."""

    def moves(self, step: Step) -> Moves:
        nothing = step.net.space.smallest()
        for part, objective in ((self.domains, DomainCrossEntropy()), (self.categories, CrossEntropy())):
            yield Move(updates=part, paths=[Path(nothing, objective, forward=ThroughClassifier(part))])
