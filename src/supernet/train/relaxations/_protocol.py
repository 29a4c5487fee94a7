"""What a relaxation promises, and the mixtures of a step."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from supernet.errors import UsageError
from supernet.nn import Decisions, Mixture
from supernet.train.move import Step

__all__ = ["Relaxation"]


class Relaxation(Protocol):
    """Turns the logits of one choice into a mixture of its options."""

    def mixture(self, logits: Tensor, step: Step) -> Mixture:
        """Mixture from logits (O,)."""
        ...

    def probabilities(self, logits: Tensor) -> Tensor:
        """How often, or how strongly, each option is taken (O,), by logits (O,): a distribution."""
        ...


def relaxed(relaxation: Relaxation, step: Step) -> Decisions:
    """Mixtures for every choice, from the architecture parameters of the step."""
    architecture = step.architecture
    if architecture is None:
        raise UsageError("A relaxation needs architecture parameters; give the recipe `architecture=Updates(…)`.")
    return Decisions(
        (choice.name, relaxation.mixture(logits, step))
        for choice, logits in zip(architecture.choices, architecture.logits, strict=True)
    )
