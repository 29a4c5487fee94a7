"""The loss on the training batch (AttentiveNAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.space import Arch
from supernet.train.move import Step


@dataclass(frozen=True)
class BatchLoss:
    """Cross-entropy on the training batch of the step (AttentiveNAS)."""

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        return step.rate(archs, data="train")
