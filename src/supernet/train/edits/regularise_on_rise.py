"""More weight decay, from an earlier state on, where the curvature rises (DARTS-ADA)."""

from __future__ import annotations

from dataclasses import dataclass, field

from supernet.errors import UsageError
from supernet.train.context import Context
from supernet.train.edits.curvature import HISTORY, CurvatureRise
from supernet.train.optimisers._protocol import check_number
from supernet.train.part import WEIGHTS
from supernet.train.parts.snapshots import Snapshots

DECAY = "weight_decay"
"""The key of `Step.memory` under which the weight decay stands, once it is not that of the recipe."""


@dataclass(frozen=True, kw_only=True)
class RegulariseOnRise:
    """Goes back to before the curvature rose, and multiplies the weight decay of the supernet's weights (DARTS-ADA).

    [arXiv 1909.09656](https://arxiv.org/abs/1909.09656), as in the official code. Applied after `Curvature`. Weights,
    architecture and the states of their optimisers are put back, and the measurements since are forgotten; the steps of
    the training go on. `DecayFromMemory` sets the weight decay at the beginning of every step.

    Args:
        rise: What says that the curvature has risen, and what to go back to.
        factor: The factor on the weight decay, above 1.
        most: The largest weight decay; once it is reached, nothing more is done.
        part: The part of the recipe, `snapshots()`, that holds the earlier states.

    Raises:
        UsageError: a value outside its range.
    """

    rise: CurvatureRise = field(default_factory=CurvatureRise)
    factor: float = 10.0
    most: float = 0.03
    part: str = "snapshots"

    def __post_init__(self) -> None:
        check_number("The factor on the weight decay", self.factor, above=1)
        check_number("The largest weight decay", self.most, above=0)

    def __call__(self, context: Context) -> dict[str, float]:
        """Keep the state of a measurement, and go back if it says so; for the log the weight decay."""
        history, step = context.memory.get(HISTORY), context.step
        decay = float(context.memory.get(DECAY, context.steppers[WEIGHTS].optimizer.param_groups[0]["weight_decay"]))
        if history is None or history["epochs"][-1] != step.index // step.steps_per_epoch:
            return {"weight_decay": decay}
        kept = step.part(self.part, Snapshots)
        kept.take(str(history["epochs"][-1]), context, most=self.rise.depth + 1)
        place = self.rise.place(context)
        if place is None or decay >= self.most * (1 - 1e-6):
            return {"weight_decay": decay}
        name = str(history["epochs"][place])
        kept.restore(name, context)
        kept.forget_after(name)
        for values in history.values():
            del values[place + 1 :]
        context.memory[DECAY] = min(decay * self.factor, self.most)
        return {"weight_decay": context.memory[DECAY]}


@dataclass(frozen=True)
class DecayFromMemory:
    """Sets the weight decay of the supernet's weights to what `RegulariseOnRise` remembered, if it has remembered any.

    A program applies it before its moves. Parameters without weight decay stay without.
    """

    def __call__(self, context: Context) -> None:
        """Set it for the moves that follow."""
        if (decay := context.memory.get(DECAY)) is not None:
            for group in context.steppers[WEIGHTS].optimizer.param_groups:
                group["weight_decay"] = decay if group["weight_decay"] else 0.0


def check_decays(weight_decay: float, most: float) -> None:
    """Raise a UsageError for a weight decay that no factor can raise to `most`."""
    if not 0 < weight_decay < most:
        raise UsageError(
            f"The weight decay was to grow from {weight_decay} to at most {most} where the curvature rises. Give the "
            "weights a decay above 0 and below that, or another largest one."
        )
