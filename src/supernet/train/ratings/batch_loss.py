"""The loss on the training batch (AttentiveNAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.space import Arch
from supernet.train.optimisers._protocol import check_number
from supernet.train.step import Step


@dataclass(frozen=True)
class BatchLoss:
    """Cross-entropy on the training batch of the step (AttentiveNAS).

    Args:
        label_smoothing: Share of the target that is spread evenly over the classes.

    Raises:
        UsageError: it does not lie in [0, 1).
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_number("The label smoothing of the rating", self.label_smoothing, at_least=0, below=1)

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        return step.rate(archs, data="train", label_smoothing=self.label_smoothing)
