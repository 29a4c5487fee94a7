"""What is learned about an architecture, as programs see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Decisions, EdgeWeights, Mixture
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.step import Step


@runtime_checkable
class Parametrisation(Protocol):
    """A module from whose parameters decisions are made; a part of a recipe."""

    def draw(self, step: Step, relaxation: Relaxation, use: str) -> Decisions:
        """Decisions for every choice, with a gradient to the parameters.

        Args:
            step: Where the training stands; what it forbids is not taken.
            relaxation: The rule by which parameters become mixtures.
            use: What the decisions are for, such as `"weights"`; other uses in one step draw other noise.
        """
        ...

    def probabilities(self, relaxation: Relaxation) -> Mapping[str, Tensor]:
        """How strongly each option is taken, by choice name (O,), as the relaxation has it."""
        ...


def drawn(step: Step, part: str, relaxation: Relaxation, use: str) -> Decisions:
    """Decisions from what a part of the recipe has learned.

    Raises:
        UsageError: the recipe has no such part, or it holds nothing that decisions are made from.
    """
    return parametrisation(step.parts, part).draw(step, relaxation, use)


def are_open(decisions: Decisions) -> bool:
    """Whether decisions have a gradient to what is learned; they have none once every choice is decided."""
    mixtures = (decision for decision in decisions.values() if isinstance(decision, Mixture | EdgeWeights))
    return any(mixture.weights.requires_grad for mixture in mixtures)


def weighed(parts: Mapping[str, nn.Module], part: str, relaxation: Relaxation) -> dict[str, Tensor]:
    """How strongly each option is taken, by choice name (O,), by what a part has learned."""
    return dict(parametrisation(parts, part).probabilities(relaxation))


def parametrisation(parts: Mapping[str, nn.Module], name: str) -> Parametrisation:
    """The part from which decisions are made."""
    found: object = parts.get(name)
    if not isinstance(found, Parametrisation):
        raise UsageError(
            f"The program makes decisions from a part {name!r}, but the recipe has none that it can. Give it "
            f"parts={{{name!r}: Part(build=LogitPerOption(), updates=…)}}."
        )
    return found
