"""A loss multiplied by the logarithm of an expected cost (ProxylessNAS's code)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor

from supernet.errors import UsageError
from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.expected_cost import ExpectedCost
from supernet.train.objectives.terms import total
from supernet.train.optimisers._protocol import check_number


@dataclass(frozen=True)
class TimesCost:
    """L · a · (log E[cost] / log reference)^b.

    The logarithms are natural, so the unit matters: cost and reference stand in the same, and both are above 1.

    Args:
        cost: The expected cost.
        reference: The cost at which the loss is a · L.
        scale: The factor a (ProxylessNAS's code: 0.2).
        exponent: The exponent b (ProxylessNAS's code: 0.3).
        objective: The loss L.

    Raises:
        UsageError: a reference that is not above 1, a factor or exponent that is not positive, or a cost with a
            logarithm of its own.
    """

    cost: ExpectedCost
    reference: float
    scale: float = 0.2
    exponent: float = 0.3
    objective: Objective = field(default_factory=CrossEntropy)

    def __post_init__(self) -> None:
        check_number("The reference of a cost whose logarithm is taken", self.reference, above=1)
        check_number("The factor on the loss", self.scale, above=0)
        check_number("The exponent of the cost", self.exponent, above=0)
        if self.cost.logarithm != "none":
            raise UsageError("A cost that multiplies a loss is given without logarithm; it is taken here.")

    def chance(self, of_task: float) -> float | None:
        """None: it depends on the cost."""
        return None

    def alone(self) -> Objective:
        """The loss without a price."""
        return alone(self.objective)

    def __call__(self, outcome: Outcome) -> Tensor:
        share = self.cost(outcome).log() / math.log(self.reference)
        return self.scale * total(self.objective(outcome)) * share**self.exponent
