"""Cross-entropy with the domains of images instead of their classes."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from supernet.train.forwards.to_novel_domain import domains_in
from supernet.train.move import Outcome


@dataclass(frozen=True)
class DomainCrossEntropy:
    """Cross-entropy of the logits (B, D) with the numbers of the images' domains, see `supernet.data.WithDomains`."""

    def chance(self, of_task: float) -> None:
        """None: it is no loss of the labels."""

    def __call__(self, outcome: Outcome) -> Tensor:
        return F.cross_entropy(outcome.logits, domains_in(outcome.batch))
