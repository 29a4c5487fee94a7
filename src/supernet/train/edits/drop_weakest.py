"""Of every choice of operations a share of the options, the weakest, is dropped (DA-NAS)."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.train.context import Context
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations.option_logits import OptionLogits


@dataclass(frozen=True, kw_only=True)
class DropWeakest:
    """Forbids the share of the options with the smallest logits, in every choice that has some; of equal ones the last.

    Of n options that are allowed ⌊share · n⌋ are dropped, so that one is always left (DA-NAS,
    [arXiv 2003.12563](https://arxiv.org/abs/2003.12563)).

    Args:
        share: The share, at least 0 and below 1.
        part: The part of the recipe that holds the logits.

    Raises:
        UsageError: a share that is none.
    """

    share: float = 0.4
    part: str = "architecture"

    def __post_init__(self) -> None:
        check_number("The share of options that are dropped", self.share, at_least=0, below=1)

    def __call__(self, context: Context) -> None:
        """Forbid them.

        Raises:
            RunError: a logit is not finite.
        """
        part, done = context.step.part(self.part, OptionLogits), context.step.done
        for choice, logits in part.finite(done, what="weakest"):
            allowed = sorted(context.restriction.allowed(choice.name))
            values = logits.tolist()
            strongest_first = sorted(allowed, key=values.__getitem__, reverse=True)  # stable: of equal ones the first
            goes = int(self.share * len(allowed) + 1e-9)
            kept = sorted(strongest_first[: len(allowed) - goes])
            context.restriction.allow(choice.name, [choice.options[place] for place in kept])
