"""Architecture parameters, and the relaxations that turn them into mixtures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Decisions, Mixture, Supernet
from supernet.space import Arch, Choice
from supernet.space.expression import Option
from supernet.train.choices import operation_choices, require_operations_only
from supernet.train.move import Step


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
        """softmax(α) by choice name, each (O,), without gradient."""
        return {
            choice.name: logits.detach().softmax(0) for choice, logits in zip(self.choices, self.logits, strict=True)
        }


class Relaxation(Protocol):
    """Turns the logits of one choice into a mixture of its options."""

    def mixture(self, logits: Tensor, step: Step) -> Mixture:
        """Mixture from logits (O,)."""
        ...


@dataclass(frozen=True)
class Softmax:
    """Weights softmax(α / T) (DARTS, eq. 2).

    Args:
        temperature: T.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise UsageError(f"The temperature of the softmax is {self.temperature}; it must be positive.")

    def mixture(self, logits: Tensor, step: Step) -> Mixture:
        """softmax(logits / T)."""
        return Mixture((logits / self.temperature).softmax(0))


def relaxed(relaxation: Relaxation, step: Step) -> Decisions:
    """Mixtures for every choice, from the architecture parameters of the step."""
    architecture = step.architecture
    if architecture is None:
        raise UsageError("A relaxation needs architecture parameters; give the recipe `architecture=Updates(…)`.")
    return Decisions(
        (choice.name, relaxation.mixture(logits, step))
        for choice, logits in zip(architecture.choices, architecture.logits, strict=True)
    )


class Derivation(Protocol):
    """Turns learned architecture parameters into one architecture."""

    def check(self, net: Supernet) -> None:
        """Raise a UsageError, before any training, if nothing could be derived from this supernet."""
        ...

    def derive(self, net: Supernet, architecture: ArchitectureParameters) -> Arch:
        """The architecture the method proposes."""
        ...


@dataclass(frozen=True)
class Strongest:
    """The option with the largest logit, for every choice.

    Args:
        exclude: Options that may not be chosen. DARTS leaves out `none`; the NAS-Bench-201 protocol does not.
    """

    exclude: tuple[str, ...] = ()

    def check(self, net: Supernet) -> None:
        options = {option for choice in operation_choices(net) for option in choice.options}
        for option in self.exclude:
            if option not in options:
                raise UsageError(f"The option {option!r} is to be excluded, but no choice of the supernet has it.")
        for choice in operation_choices(net):
            if not self._allowed(choice.options):
                raise UsageError(f"Every option of {choice.name!r} is excluded: {self.exclude}. Leave one.")

    def derive(self, net: Supernet, architecture: ArchitectureParameters) -> Arch:
        chosen = {}
        for choice, logits in zip(architecture.choices, architecture.logits, strict=True):
            order = logits.detach().argsort(descending=True, stable=True).tolist()
            chosen[choice.name] = self._allowed([choice.options[index] for index in order])[0]
        return net.space.arch(chosen)

    def _allowed(self, options: Sequence[Option]) -> list[Option]:
        return [option for option in options if option not in self.exclude]
