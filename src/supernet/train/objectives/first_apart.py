"""One loss for the first path of a move, another for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome


@dataclass(frozen=True, kw_only=True)
class FirstApart:
    """The first path of a move learns by one loss, those after it by another, which may use the first as a teacher.

    Args:
        first: The loss of the first path, under the sandwich rule the largest subnet.
        others: The loss of the others.
    """

    first: Objective
    others: Objective

    def chance(self, of_task: float) -> None:
        """None: two losses are averaged."""

    def alone(self) -> Objective:
        """What the first loss is for one architecture."""
        return alone(self.first)

    def __call__(self, outcome: Outcome) -> Tensor | Mapping[str, Tensor]:
        return (self.others if outcome.earlier else self.first)(outcome)
