"""Agreement with a teacher that is a part of the recipe (mean teacher)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.errors import UsageError
from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.terms import as_terms
from supernet.train.values._protocol import Number, check_value, value_of


@dataclass(frozen=True)
class Consistency:
    """A loss, and the distance of the path's probabilities from those of a teacher on the same images.

    Args:
        objective: The loss that the distance is added to.
        part: The name of the teacher among the parts of the recipe.
        weight: The factor on the distance, which may change over time.
        distance: `"mse"`, the mean squared difference of the K probabilities, or `"kl"`, KL(teacher ‖ path).
        runs: What the teacher runs: the `"same"` decisions as the path, or the `"largest"` architecture.
    """

    objective: Objective
    part: str = "teacher"
    weight: Number = 1.0
    distance: Literal["mse", "kl"] = "mse"
    runs: Literal["same", "largest"] = "same"

    def __post_init__(self) -> None:
        check_value("The weight of the consistency", self.weight, at_least=0)
        if self.distance not in ("mse", "kl") or self.runs not in ("same", "largest"):
            raise UsageError(
                f"A path is compared with its teacher by 'mse' or 'kl', and the teacher runs the 'same' or the "
                f"'largest' architecture; got {self.distance!r} and {self.runs!r}."
            )

    def chance(self, of_task: float) -> float | None:
        """None: the distance adds to the loss what nobody can know."""
        return None

    def alone(self) -> Objective:
        """The loss without a teacher."""
        return alone(self.objective)

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        assert outcome.path is not None
        step = outcome.step
        target = outcome.path.decisions if self.runs == "same" else step.space.largest()
        with torch.no_grad():
            taught = step.forward(target, outcome.batch, part=self.part).logits.softmax(1)
        if self.distance == "mse":
            distance = F.mse_loss(outcome.logits.softmax(1), taught)
        else:
            distance = F.kl_div(outcome.logits.log_softmax(1), taught, reduction="batchmean")
        return {**as_terms(self.objective(outcome)), "consistency": value_of(self.weight, step) * distance}
