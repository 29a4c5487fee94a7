"""The average network and its projectors follow those that are trained (BYOL, BossNAS)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from supernet.nn import Supernet
from supernet.train.context import Context
from supernet.train.parts.siamese_heads import SiameseHeads
from supernet.train.values._protocol import Number, check_value, value_of


@dataclass(frozen=True, kw_only=True)
class FollowOnline:
    """θ′ ← d θ′ + (1 − d) θ for all parameters of a copy of the supernet and of the averaged projectors.

    Buffers are their own. Unlike `AverageInto`, early steps are no exception, and the value may begin anew with phases.

    Args:
        decay: d, which may change over time.
        target: The part of the recipe that is the copy (`CopyOfNet`).
        heads: The part with the projectors (`SiameseHeads`).
    """

    decay: Number = 0.99
    target: str = "target"
    heads: str = "heads"

    def __post_init__(self) -> None:
        check_value("The decay of the average", self.decay, at_least=0, at_most=1)

    @torch.no_grad()
    def __call__(self, context: Context) -> None:
        """Take in the weights of this step."""
        heads, average = context.step.part(self.heads, SiameseHeads), context.step.part(self.target, Supernet)
        share = 1 - value_of(self.decay, context.step)
        torch._foreach_lerp_(list(average.parameters()), list(context.net.parameters()), share)
        torch._foreach_lerp_(list(heads.targets.parameters()), list(heads.projectors.parameters()), share)
