"""How far the Dirichlet distributions of an architecture are from an anchor (DrNAS)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence

from supernet.train.move import Outcome
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations.option_logits import OptionLogits
from supernet.train.relaxations.dirichlet import concentration


@dataclass(frozen=True)
class DirichletAnchor:
    """Σ over choices of KL(Dir(ELU(x) + 1) ‖ Dir(β̂)), a term of a loss (DrNAS).

    [arXiv 2006.10355](https://arxiv.org/abs/2006.10355). Choices that are decided have no distribution, and options
    that are forbidden do not count.

    Args:
        anchor: The concentration β̂ of every option of the anchor, above 0.
        part: The part of the recipe that holds the logits x.

    Raises:
        UsageError: an anchor that is not positive.
    """

    anchor: float = 1.0
    part: str = "architecture"

    def __post_init__(self) -> None:
        check_number("The concentration of the anchor", self.anchor, above=0)

    def __call__(self, outcome: Outcome) -> Tensor:
        step = outcome.step
        found = outcome.logits.new_zeros(())
        for choice, logits in step.part(self.part, OptionLogits).named():
            kept = None if step.restriction is None else step.restriction.allowed(choice.name)
            beta = concentration(logits if kept is None else logits[list(kept)])
            found = found + kl_divergence(Dirichlet(beta), Dirichlet(torch.full_like(beta, self.anchor)))
        return found
