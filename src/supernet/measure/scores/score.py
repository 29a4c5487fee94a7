"""What a score promises: one number for a subnet, by which subnets are ranked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from torch import nn

from supernet.data import Data
from supernet.errors import RunError
from supernet.nn import Supernet
from supernet.quantity import Quantity
from supernet.space import Arch


@dataclass(frozen=True)
class Subnet:
    """A subnet as a score sees it.

    Attributes:
        net: The supernet that it is a part of, which stays as it is.
        arch: The architecture.
        parts: The modules that the method has beside the supernet, by name.
        kept: What the score remembers from one subnet to the next; it is forgotten when a weight changes.
        data: The data of the training, for scores that look at examples; None: there are none.
    """

    net: Supernet
    arch: Arch
    parts: Mapping[str, nn.Module] = field(default_factory=dict)
    kept: dict[Any, Any] = field(default_factory=dict)
    data: Data | None = None


class Score(Protocol):
    """Tells good subnets from bad ones without accuracy, such as `Angle` (RLNAS): a frozen dataclass."""

    @property
    def name(self) -> str:
        """What searches, reports and verdicts call it."""
        ...

    @property
    def goal(self) -> Literal["max", "min"]:
        """Whether more or less of it is better."""
        ...

    @property
    def unit(self) -> str:
        """Printed after values; empty for plain numbers."""
        ...

    def __call__(self, subnet: Subnet) -> float:
        """The value.

        Raises:
            UsageError: something that it is made from is missing.
        """
        ...


def quantity_of(score: Score) -> Quantity:
    """The score as a quantity that searches optimise."""
    return Quantity(score.name, score.unit, score.goal)


def scored(score: Score, subnet: Subnet) -> float:
    """The value of a subnet.

    Raises:
        RunError: it is not finite.
    """
    value = float(score(subnet))
    if not abs(value) < float("inf"):
        raise RunError(
            f"The {score.name} of {subnet.arch!r} is {value}. Its weights have diverged: go back to an earlier "
            "checkpoint, or lower the learning rate."
        )
    return value
