"""Of every choice of operations the strongest options stay (P-DARTS, DrNAS)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from supernet.errors import UsageError
from supernet.train.context import Context
from supernet.train.parametrisations.option_logits import OptionLogits


@dataclass(frozen=True)
class KeepStrongest:
    """Forbids all but the n options with the largest logits, in every choice that has some; of equal ones the first go.

    Args:
        number: n; a choice that has no more options left stays as it is.
        clear: Whether logits of options that are forbidden become 0.
        part: The part of the recipe that holds the logits.

    Raises:
        UsageError: n below 1.
    """

    number: int
    clear: bool = False
    part: str = "architecture"

    def __post_init__(self) -> None:
        if self.number < 1:
            raise UsageError(f"The {self.number} strongest options were to be kept; keep at least 1.")

    def __call__(self, context: Context) -> None:
        """Forbid the others.

        Raises:
            RunError: a logit is not finite.
        """
        part, done = context.step.part(self.part, OptionLogits), context.step.done
        for choice, logits in part.finite(done, what="strongest"):
            allowed = context.restriction.allowed(choice.name)
            values = logits.tolist()
            weakest_first = sorted(allowed, key=values.__getitem__)
            kept = weakest_first[-self.number :]
            context.restriction.allow(choice.name, [choice.options[place] for place in kept])
            if self.clear:
                with torch.no_grad():
                    logits[torch.as_tensor(~context.restriction.mask(choice.name))] = 0
