"""Architecture parameters: a logit per option of every choice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from supernet.nn import Decisions, Supernet
from supernet.space import Choice
from supernet.train.move import Step
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations.operation_choices import operation_choices, require_operations_only
from supernet.train.part import Part, Setting
from supernet.train.relaxations._protocol import Given, Relaxation
from supernet.train.updates import Updates

__all__ = ["LogitPerOption", "OptionLogits"]


class OptionLogits(nn.Module):
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

    def named(self) -> Iterator[tuple[Choice, nn.Parameter]]:
        """Every choice with its logits (O,)."""
        return zip(self.choices, self.logits, strict=True)

    def draw(self, step: Step, relaxation: Relaxation, use: str) -> Decisions:
        """Mixtures by choice name; a choice that is decided has an index, and so no gradient."""
        found = Decisions()
        for choice, logits in self.named():
            decided = None if step.restriction is None else step.restriction.decided(choice.name)
            if decided is not None:
                found[choice.name] = decided
            else:
                found[choice.name] = relaxation.mixture(logits, Given(step, choice, use))
        return found

    def probabilities(self, relaxation: Relaxation) -> dict[str, Tensor]:
        """How strongly each option is taken, by choice name (O,), without gradient."""
        return {choice.name: relaxation.probabilities(logits.detach()) for choice, logits in self.named()}


@dataclass(frozen=True)
class LogitPerOption:
    """Builds `OptionLogits` for the choices of the supernet.

    Args:
        scale: The standard deviation of the initial logits; 0: they begin equal.
    """

    scale: float = 1e-3

    def __post_init__(self) -> None:
        check_number("The standard deviation of the initial logits", self.scale, at_least=0)

    def __call__(self, setting: Setting) -> OptionLogits:
        """The module for one training."""
        return OptionLogits(setting.net, scale=self.scale, seed=setting.seed)


def option_logits(updates: Updates, *, scale: float = 1e-3) -> Part:
    """The part of a recipe that holds a logit per option, stepped by these updates."""
    return Part(build=LogitPerOption(scale), updates=updates)
