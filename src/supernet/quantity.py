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

    @property
    def sign(self) -> Literal[1, -1]:
        """1 where more is better and −1 where less is: times a value, it is the higher the better."""
        return 1 if self.goal == "max" else -1

    def loss(self, value: float) -> float:
        """The value with its sign turned so that less is better."""
        return -self.sign * value

    def text(self, value: float) -> str:
        """The value for people, with its unit."""
        return f"{value:.6g} {self.unit}".rstrip()

    def brief(self, value: float | None) -> str:
        """The value for a table: a share in per cent, a dash where there is none.

        >>> ACCURACY.brief(0.9694), LOSS.brief(0.1234567), LOSS.brief(12345.6), ACCURACY.brief(None)
        ('96.9%', '0.123', '12,346', '–')
        """
        if value is None:
            return "–"
        return f"{value:.1%}" if self.share else f"{significant(value)} {self.unit}".rstrip()

    def to_json(self) -> dict[str, str | bool]:
        """Everything; a share is said where it is one."""
        return {"name": self.name, "goal": self.goal, "unit": self.unit} | ({"share": True} if self.share else {})


ACCURACY = Quantity("accuracy", goal="max", share=True)
TRUE_SCORE = Quantity("true score", goal="max")
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


def significant(value: float, digits: int = 3) -> str:
    """A number for people: so many significant digits, and no exponent below a million.

    >>> significant(0.12345), significant(1120.6), significant(31234.0, 4), significant(1.5e9)
    ('0.123', '1,121', '31,234', '1.5e+09')
    """
    return f"{value:,.0f}" if 10**digits <= abs(value) < 1e6 else f"{value:.{digits}g}"


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
