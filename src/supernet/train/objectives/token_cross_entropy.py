"""Cross-entropy of tokens, each of which weighs the same."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from supernet.tasks import AsksForTokens
from supernet.train.move import Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy


@dataclass(frozen=True)
class TokenCrossEntropy(CrossEntropy):
    """Cross-entropy with the labels, a mean over all tokens of the batch that count (fairseq).

    `CrossEntropy` is the mean over the examples of the means over their tokens: a token of a short example weighs more.
    Of tasks without tokens both are the same. In pieces of a batch, and on several devices, each has a mean of its own.

    Args:
        label_smoothing: Share of the target spread evenly over the vocabulary.
    """

    def __call__(self, outcome: Outcome) -> Tensor:
        task = outcome.step.task
        if not isinstance(task, AsksForTokens):
            return super().__call__(outcome)
        return task.token_loss(outcome.output, outcome.batch, label_smoothing=self.label_smoothing)
