"""Loss or error on a new batch at every rating (ENAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from supernet.errors import UsageError
from supernet.space import Arch
from supernet.train.step import Step

Measure = Literal["error", "loss"]


@dataclass(frozen=True)
class FreshBatch:
    """Error or cross-entropy of each architecture on a batch of its own, the next of the stream (ENAS, §2).

    [arXiv 1802.03268](https://arxiv.org/abs/1802.03268).

    Args:
        data: The split that the batches come from.
        measure: `"error"`, the share of images that are classified wrongly, or `"loss"`, the cross-entropy.
    """

    data: str = "validation"
    measure: Measure = "error"

    def __post_init__(self) -> None:
        if self.measure not in get_args(Measure):
            raise UsageError(f"A batch tells one of {get_args(Measure)}; got {self.measure!r}.")

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        return [step.rate([arch], data=self.data, measure=self.measure, fresh=True)[0] for arch in archs]
