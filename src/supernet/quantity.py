"""What is measured: named quantities with a unit and a direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from supernet.errors import UsageError


@dataclass(frozen=True)
class Quantity:
    """Something an evaluator can tell about an architecture.

    Args:
        name: As used in `objectives=` and `constraints=`.
        unit: Printed after values; empty for plain numbers.
        goal: Whether more or less of it is better.
        share: Whether it is a share, 0 … 1, that reports print in per cent.

    >>> MACS.text(3.2e8), ACCURACY.loss(0.75)
    ('3.2e+08 MAC', -0.75)
    """

    name: str
    unit: str = ""
    goal: Literal["max", "min"] = "min"
    share: bool = False

    def loss(self, value: float) -> float:
        """The value with its sign turned so that less is better."""
        return -value if self.goal == "max" else value

    def text(self, value: float) -> str:
        """The value for people, with its unit."""
        return f"{value:.6g} {self.unit}".rstrip()

    def brief(self, value: float | None) -> str:
        """The value for a table: a share in per cent, a dash where there is none.

        >>> ACCURACY.brief(0.9694), LOSS.brief(0.1234567), ACCURACY.brief(None)
        ('96.9%', '0.123', '–')
        """
        if value is None:
            return "–"
        return f"{value:.1%}" if self.share else f"{value:.3g} {self.unit}".rstrip()

    def to_json(self) -> dict[str, str]:
        return {"name": self.name, "goal": self.goal, "unit": self.unit}


ACCURACY = Quantity("accuracy", goal="max", share=True)
LOSS = Quantity("loss")
MACS = Quantity("macs", "MAC")
PARAMS = Quantity("params")
LATENCY_MS = Quantity("latency_ms", "ms")
WEIGHTS_MB = Quantity("weights_mb", "MB")
ACTIVATIONS_MB = Quantity("activations_mb", "MB")
MEMORY_MB = Quantity("memory_mb", "MB")

COSTS = (MACS, PARAMS, WEIGHTS_MB, ACTIVATIONS_MB, MEMORY_MB)
"""What every network costs, whatever it runs on."""

STANDARD: Mapping[str, Quantity] = MappingProxyType(
    {quantity.name: quantity for quantity in (ACCURACY, LOSS, *COSTS, LATENCY_MS)}
)
"""The quantities of this package, by name."""


SCORE = "score"
"""As an objective: what subnets are ranked by, which the method says, or else the task."""


def objectives_of(names: str | Sequence[str], known: Mapping[str, Quantity]) -> tuple[Quantity, ...]:
    """The quantities to optimise.

    Raises:
        UsageError: none given, one given twice, or one that the evaluator cannot tell.
    """
    names = (names,) if isinstance(names, str) else tuple(names)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"The objective {unknown[0]!r} is not a quantity of this evaluator; it can tell {listing(known)}."
        )
    if not names or len(set(names)) != len(names):
        raise UsageError(f"The objectives are {list(names)}; name at least one quantity, each of them once.")
    return tuple(known[name] for name in names)


def listing(known: Mapping[str, Quantity]) -> str:
    return ", ".join(map(repr, known)) or "nothing"
