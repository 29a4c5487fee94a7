"""A reward out of the perplexity on a new batch (ENAS on Penn Treebank)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from supernet.space import Arch
from supernet.train.optimisers._protocol import check_number
from supernet.train.ratings.fresh_batch import FreshBatch
from supernet.train.step import Step


@dataclass(frozen=True)
class InversePerplexity:
    """1 − c / perplexity of each architecture on a batch of its own, so that `Reinforce` is given c / perplexity.

    ENAS, [arXiv 1802.03268](https://arxiv.org/abs/1802.03268), §2.2. The perplexity is exp of the loss of the task, a
    mean over the tokens of blocks of one length, and at most e¹⁰, as in the authors' code.

    Args:
        scale: c; the paper takes 80 on Penn Treebank.
        data: The split that the batches come from.

    Raises:
        UsageError: a scale that is not above 0.
    """

    scale: float = 80.0
    data: str = "validation"

    def __post_init__(self) -> None:
        check_number("The scale of the reward", self.scale, above=0)

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        losses = FreshBatch(self.data, measure="loss")(step, archs)
        return [1 - self.scale / math.exp(min(loss, 10.0)) for loss in losses]
