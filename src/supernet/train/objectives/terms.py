"""Losses that consist of several terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome
from supernet.train.values._protocol import Number, check_value, value_of


@dataclass(frozen=True)
class Term:
    """One term of a loss.

    Args:
        name: What the log calls it, as `term/name`.
        loss: The loss of the path.
        weight: The factor on it, which may change over time.
    """

    name: str
    loss: Objective
    weight: Number = 1.0

    def __post_init__(self) -> None:
        check_value(f"The weight of the term {self.name!r}", self.weight)


@dataclass(frozen=True)
class Terms:
    """The weighted sum of several losses, each of which has a column in the log.

    Args:
        terms: The terms; their names differ.
    """

    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        names = [term.name for term in self.terms]
        if not names or len(set(names)) < len(names):
            raise UsageError(f"The terms of a loss are called {names}; give at least one, each a name of its own.")

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        """The weighted terms by name."""
        return {term.name: value_of(term.weight, outcome.step) * total(term.loss(outcome)) for term in self.terms}

    def alone(self) -> Objective:
        """The first term: what an architecture that is trained alone learns by."""
        return self.terms[0].loss


@dataclass(frozen=True)
class Auxiliary:
    """A loss, and the same loss of every auxiliary head (`Output.aux`).

    Args:
        objective: The loss.
        weight: The factor on the loss of each auxiliary head; DARTS trains its final networks with 0.4.
    """

    objective: Objective
    weight: Number = 0.4

    def __post_init__(self) -> None:
        check_value("The weight of the auxiliary heads", self.weight, at_least=0)

    def chance(self, of_task: float) -> float | None:
        """None: auxiliary heads add to the loss, and how many there are is the network's."""
        return None

    def alone(self) -> Auxiliary:
        """The same around what the loss is for one architecture."""
        return replace(self, objective=alone(self.objective))

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        """The terms of the loss, and `auxiliary` where the network has such heads and is in training."""
        found = as_terms(self.objective(outcome))
        if outcome.output.aux:
            heads = [total(self.objective(outcome.of_head(head))) for head in outcome.output.aux]
            found["auxiliary"] = value_of(self.weight, outcome.step) * torch.stack(heads).sum()
        return found


def as_terms(loss: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What an objective returned, by name; a single loss is called `loss`."""
    return {"loss": loss} if isinstance(loss, Tensor) else dict(loss)


def total(loss: Tensor | Mapping[str, Tensor]) -> Tensor:
    """What an objective returned, as one number."""
    return loss if isinstance(loss, Tensor) else torch.stack(list(loss.values())).sum()
