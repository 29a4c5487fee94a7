"""Logits moved so that options which were not computed keep their probabilities (ProxylessNAS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from supernet.nn import Decisions, Mixture
from supernet.train.context import Context
from supernet.train.parametrisations.option_logits import OptionLogits


@dataclass(frozen=True, eq=False)
class KeepShares:
    """After a move on α: the options that ran share what they had together before it (ProxylessNAS, §3.2.2).

    [arXiv 1812.00332](https://arxiv.org/abs/1812.00332). αᵢ ← αᵢ − log(Σ exp α / Σ exp α′) for the options i that ran,
    with sums over them after (α) and before the move (α′), so that softmax(α) of all others is as it was.

    Args:
        decisions: What the move ran, whose mixtures say which options those are.
        part: The part of the recipe that holds the logits.
        before: The logits (O,) before the move, by choice name, see `of`.
    """

    decisions: Decisions
    part: str = "architecture"
    before: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, decisions: Decisions, logits: OptionLogits, part: str) -> KeepShares:
        """The edit to make after a move, from the logits before it."""
        return cls(decisions, part, {choice.name: one.detach().clone() for choice, one in logits.named()})

    @torch.no_grad()
    def __call__(self, context: Context) -> None:
        """Move the logits of the options that ran, all of a choice alike."""
        for choice, logits in context.step.part(self.part, OptionLogits).named():
            mixture = self.decisions.get(choice.name)
            if isinstance(mixture, Mixture) and mixture.run is not None:
                run = list(mixture.run)
                logits[run] -= logits[run].logsumexp(0) - self.before[choice.name][run].logsumexp(0)
