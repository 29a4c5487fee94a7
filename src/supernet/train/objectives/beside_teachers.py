"""Labels, and what networks outside say, also where one architecture learns alone (DONNA's fine-tuning)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.from_teachers import FromTeachers
from supernet.train.objectives.terms import as_terms
from supernet.train.optimisers._protocol import check_number


@dataclass(frozen=True, kw_only=True)
class BesideTeachers:
    """(1 − w) times the loss of the labels, and w times the cross-entropy with what teachers say of the same images.

    The teachers are networks outside, a part of the recipe (`Teachers`). They stay where one architecture is trained
    alone, such as in `deploy.retrained`: they teach it as they teach any subnet.

    Args:
        weight: w; 1: labels do not count.
        labels: The loss of the labels.
        part: The name of the part of the recipe that holds the teachers.

    Raises:
        UsageError: a weight that is not above 0 and at most 1; while it runs, as `FromTeachers`.
    """

    weight: float = 0.5
    labels: Objective = field(default_factory=CrossEntropy)
    part: str = "teachers"

    def __post_init__(self) -> None:
        check_number("The weight of the teachers", self.weight, above=0, at_most=1)

    @property
    def parts_alone(self) -> tuple[str, ...]:
        """The teachers, see `train.alone.NeedsParts`."""
        return (self.part,)

    def chance(self, of_task: float) -> None:
        """None: what teachers say is not known beforehand."""

    def __call__(self, outcome: Outcome) -> Mapping[str, Tensor]:
        """The terms of the labels, and `teachers`."""
        labels = {name: (1 - self.weight) * term for name, term in as_terms(self.labels(outcome)).items()}
        return {**labels, "teachers": self.weight * FromTeachers(part=self.part)(outcome)}
