"""How strongly options were taken in the last epochs (SGAS)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from supernet.train.context import Context
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations._protocol import weighed
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.relaxations.softmax import Softmax

REMEMBERED = "probabilities"
"""The key of `Step.memory` under which they stand."""


@dataclass(frozen=True, kw_only=True)
class RememberProbabilities:
    """Keeps the probabilities of all options in the memory of the training, those of the last times it was applied.

    It is meant for `Edit(…, unit="epochs")`.

    Args:
        times: Number of times that can be asked for later; one more is kept, for when it was just applied.
        relaxation: The rule by which logits become probabilities.
        part: The part of the recipe that holds the logits.
    """

    times: int = 4
    relaxation: Relaxation = field(default_factory=Softmax)
    part: str = "architecture"

    def __post_init__(self) -> None:
        check_number("The number of epochs that are remembered", self.times, above=0)

    def __call__(self, context: Context) -> None:
        """Remember them, after a step."""
        found = weighed(context.parts, self.part, self.relaxation)
        now = {"done": context.step.done + 1, "options": {name: p.tolist() for name, p in found.items()}}
        context.memory[REMEMBERED] = [*context.memory.get(REMEMBERED, []), now][-self.times - 1 :]


def remembered(context: Context, times: int) -> list[dict[str, list[float]]]:
    """The probabilities by choice name as they were at the last `times` times, without those of right now."""
    kept: list[dict[str, Any]] = context.memory.get(REMEMBERED, [])
    return [entry["options"] for entry in kept if entry["done"] < context.step.done][-times:]
