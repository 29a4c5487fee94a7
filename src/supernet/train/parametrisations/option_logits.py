"""Architecture parameters: a logit per option of every choice."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from supernet.nn import Supernet
from supernet.space import Choice
from supernet.train.parametrisations.operation_choices import operation_choices, require_operations_only

__all__ = ["ArchitectureParameters"]


class ArchitectureParameters(nn.Module):
    """One logit per option of every choice, α ~ scale · N(0, 1).

    Args:
        net: The supernet whose choices are weighed.
        scale: Standard deviation of the initial logits (DARTS code: 1e-3).
        seed: Seed of the initial logits.

    Raises:
        UsageError: a choice of the supernet sets a size, which cannot be mixed.
    """

    def __init__(self, net: Supernet, *, scale: float = 1e-3, seed: int = 0) -> None:
        super().__init__()
        require_operations_only(net, "A differentiable method")
        generator = torch.Generator().manual_seed(seed)
        self.choices: tuple[Choice, ...] = operation_choices(net)
        self.logits = nn.ParameterList(
            nn.Parameter(scale * torch.randn(len(choice), generator=generator)) for choice in self.choices
        )

    def probabilities(self) -> dict[str, Tensor]:
        """softmax(α) by choice name, each (O,), without gradient; what was trained is in `Bilevel.probabilities`."""
        return {
            choice.name: logits.detach().softmax(0) for choice, logits in zip(self.choices, self.logits, strict=True)
        }
