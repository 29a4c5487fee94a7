"""A training that ends once its subnets no longer become better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from supernet.errors import UsageError
from supernet.measure import Calibration, scores
from supernet.train.context import Context
from supernet.train.optimisers._protocol import check_number

_KEY = "no_improvement"


@dataclass(frozen=True, kw_only=True)
class NoImprovement:
    """Ends a phase when a subnet's score on validation data has not become better for some time (early stopping).

    The subnet is scored as `measure.scores` does, with batch norm statistics of its own, by what the task compares
    subnets by. What was best is kept in the checkpoints; the weights are those of the last step.

    Args:
        every: Number of steps between two looks.
        patience: Number of looks in a row without an improvement after which the phase ends.
        least: The difference that counts as an improvement.
        subnet: Whether the largest, the smallest or one random subnet is scored.
        images: Number of validation examples; None: all of them.
        calibration_images: Number of training examples that batch norm statistics are computed from.

    Raises:
        UsageError: a value outside its range.
    """

    every: int = 200
    patience: int = 5
    least: float = 0.0
    subnet: Literal["largest", "smallest", "random"] = "largest"
    images: int | None = None
    calibration_images: int = 512

    def __post_init__(self) -> None:
        for name in ("every", "patience", "calibration_images"):
            check_number(name, getattr(self, name), at_least=1)
        check_number("least", self.least, at_least=0)
        if self.subnet not in ("largest", "smallest", "random"):
            raise UsageError(f"The subnet to look at is 'largest', 'smallest' or 'random'; got {self.subnet!r}.")

    def __call__(self, context: Context) -> str | None:
        """The reason to end, asked after a step."""
        step = context.step
        if (step.done + 1) % self.every:
            return None
        space, rng = step.space, np.random.default_rng(step.seed)
        subnets = {"largest": space.largest(), "smallest": space.smallest(), "random": space.sample(rng)}
        arch = subnets[self.subnet]
        data = context.executor.feed.data
        mode = step.net.training
        found = scores(
            step.net, arch, data, images=self.images, calibration=Calibration(images=self.calibration_images)
        )
        step.net.train(mode)
        lost = found.score.loss(found.value)
        best, waited = context.memory.get(_KEY, (None, 0))
        better = best is None or lost < best - self.least
        context.memory[_KEY] = [lost if better else best, 0 if better else waited + 1]
        if better or waited + 1 < self.patience:
            return None
        return (
            f"the {found.score.name} of the {self.subnet} subnet has not improved in {self.patience} looks, one every "
            f"{self.every} steps"
        )
