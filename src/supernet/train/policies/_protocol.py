"""What a policy promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.space import Arch
from supernet.train.step import Step

__all__ = ["Likelihood", "Policy", "TellsOptions"]


class Likelihood(NamedTuple):
    """What a policy says of one architecture.

    Attributes:
        log_prob: log π(architecture), a scalar with a gradient to the policy.
        entropy: The entropy of the distributions that its decisions were drawn from, added up, in nats; with a gradient
            where raising it is to be part of the policy's loss, without where it is a reward alone.
        penalty: What the policy adds to its loss by itself, a scalar with a gradient.
    """

    log_prob: Tensor
    entropy: Tensor
    penalty: Tensor


@runtime_checkable
class Policy(Protocol):
    """A module that draws architectures; a part of a recipe."""

    def draw(self, step: Step, use: str) -> Arch:
        """An architecture of `step.space`, without a gradient.

        Args:
            step: Where the training stands.
            use: What it is for; other uses in one step draw other noise.
        """
        ...

    def likelihood(self, step: Step, arch: Arch) -> Likelihood:
        """How likely the policy is to draw this architecture at this step."""
        ...


@runtime_checkable
class TellsOptions(Protocol):
    """A policy that can tell how likely it is to take each option of a choice."""

    def strengths(self, step: Step) -> dict[str, Tensor]:
        """How likely each option is, by choice name (O,), 0 where it is not allowed; without a gradient.

        A choice that no architecture has which the policy draws may be left out.
        """
        ...


def policy(parts: Mapping[str, nn.Module], name: str) -> Policy:
    """The part that draws architectures.

    Raises:
        UsageError: the recipe has no such part, or it draws none.
    """
    found: object = parts.get(name)
    if not isinstance(found, Policy):
        raise UsageError(
            f"Architectures are drawn by a part {name!r}, but the recipe has none that can. Give it "
            f"parts={{{name!r}: Part(build=LSTMController(), updates=…)}}."
        )
    return found
