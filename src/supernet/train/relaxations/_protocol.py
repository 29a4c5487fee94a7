"""What a relaxation promises, and what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from supernet.nn import Mixture
from supernet.train.step import Step

__all__ = ["Relaxation"]


class Given(NamedTuple):
    """What a relaxation is told beside the logits.

    Attributes:
        step: Where the training stands.
        name: The name of the choice, or of the node, that the logits belong to.
        use: What the mixture is for, such as `"weights"`.
    """

    step: Step
    name: str
    use: str

    @property
    def allowed(self) -> tuple[int, ...] | None:
        """Positions of the options that may be taken, ascending; None: all."""
        restriction = self.step.restriction
        if restriction is None or self.name not in restriction.kept:
            return None
        return restriction.allowed(self.name)

    def masked(self, logits: Tensor) -> Tensor:
        """Logits (O,) with −∞ for options that may not be taken."""
        if self.allowed is None:
            return logits
        mask = torch.ones(len(logits), dtype=torch.bool, device=logits.device)
        mask[list(self.allowed)] = False
        return logits.masked_fill(mask, float("-inf"))

    @contextmanager
    def seeded(self) -> Iterator[np.random.Generator]:
        """Randomness for this choice and this use alone, see `Step.seeded`."""
        with self.step.seeded(f"{self.use} {self.name}") as rng:
            yield rng


class Relaxation(Protocol):
    """Turns the logits of one choice into a mixture of its options."""

    def mixture(self, logits: Tensor, given: Given) -> Mixture:
        """Mixture from logits (O,)."""
        ...

    def probabilities(self, logits: Tensor) -> Tensor:
        """How often, or how strongly, each option is taken (O,), by logits (O,): a distribution."""
        ...
