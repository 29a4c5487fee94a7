"""A loss and an expected cost as a share of a reference (ProxylessNAS)."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.expected_cost import ExpectedCost
from supernet.train.objectives.terms import total
from supernet.train.optimisers._protocol import check_number


@dataclass(frozen=True)
class PlusCost:
    """L + λ (E[cost] − reference) / reference (ProxylessNAS, eq. 6; the reference is its code's).

    Args:
        cost: The expected cost.
        reference: What the cost is compared with, in the same unit.
        scale: The factor λ (ProxylessNAS's code: 0.1).
        objective: The loss L.

    Raises:
        UsageError: a reference that is not positive, or a negative factor.
    """

    cost: ExpectedCost
    reference: float
    scale: float = 0.1
    objective: Objective = field(default_factory=CrossEntropy)

    def __post_init__(self) -> None:
        check_number("The reference of a cost", self.reference, above=0)
        check_number("The factor on the cost", self.scale, at_least=0)

    def chance(self, of_task: float) -> float | None:
        """None: it depends on the cost."""
        return None

    def alone(self) -> Objective:
        """The loss without a price."""
        return alone(self.objective)

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        price = self.scale * (self.cost(outcome) - self.reference) / self.reference
        return {"loss": total(self.objective(outcome)), f"cost/{self.cost.cost}": price}
