"""What is allowed: bounds on named quantities."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.quantity import Quantity, listing

__all__ = ["Bounds", "Constraint", "Constraints"]

Bounds: TypeAlias = "float | tuple[float | None, float | None]"
"""An upper bound, or (low, high) where None leaves a side open."""


@dataclass(frozen=True)
class Constraint:
    """`low <= quantity <= high`; None leaves a side open.

    Raises:
        UsageError: both sides open, a bound that is not a finite number, or low above high.
    """

    name: str
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        if not bounds or not all(math.isfinite(bound) for bound in bounds) or bounds != sorted(bounds):
            raise UsageError(
                f"The constraint on {self.name!r} is ({self.low}, {self.high}); give an upper bound, or "
                "(low, high) with finite low <= high, where one of the two may be None."
            )

    def excess(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far each value is outside (positive) or inside (zero or less), relative to the bound it is nearest to."""
        below = -np.inf if self.low is None else (self.low - value) / _scale(self.low)
        above = -np.inf if self.high is None else (value - self.high) / _scale(self.high)
        return np.maximum(below, above)

    def __str__(self) -> str:
        low = "" if self.low is None else f"{self.low:.6g} ≤ "
        high = "" if self.high is None else f" ≤ {self.high:.6g}"
        return f"{low}{self.name}{high}"


@dataclass(frozen=True)
class Constraints:
    """Bounds that must hold together.

    >>> limits = Constraints((Constraint("macs", high=100.0), Constraint("latency_ms", 1.0, 2.0)))
    >>> limits.satisfied({"macs": 100, "latency_ms": 1.5}), limits.violation({"macs": 150, "latency_ms": 3.0})
    (True, 1.0)
    """

    members: tuple[Constraint, ...] = ()

    @classmethod
    def of(cls, bounds: Mapping[str, Bounds] | Constraints | None, known: Mapping[str, Quantity]) -> Constraints:
        """Read bounds as users write them: `{"macs": 330e6, "latency_ms": (None, 12.0)}`.

        Args:
            bounds: Name → upper bound or (low, high).
            known: The quantities that exist.

        Raises:
            UsageError: a quantity that does not exist, a malformed bound, or a plain number (which means an upper
                bound) for a quantity that is to be large.
        """
        if isinstance(bounds, Constraints):
            bounds = bounds.bounds
        return cls(tuple(_constraint(name, bound, known) for name, bound in (bounds or {}).items()))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(constraint.name for constraint in self.members)

    def only(self, names: Collection[str]) -> Constraints:
        """Those on the given quantities."""
        return Constraints(tuple(constraint for constraint in self.members if constraint.name in names))

    def excesses(self, columns: Mapping[str, NDArray[np.float64]], n: int) -> NDArray[np.float64]:
        """Excess (N, M) of each of the M constraints for N architectures, from one column (N,) per quantity."""
        if not self.members:
            return np.zeros((n, 0))
        return np.stack([constraint.excess(columns[constraint.name]) for constraint in self], axis=1)

    def violations(self, columns: Mapping[str, NDArray[np.float64]], n: int) -> NDArray[np.float64]:
        """Sum (N,) of the positive excesses; 0 exactly where everything is satisfied."""
        total: NDArray[np.float64] = np.maximum(self.excesses(columns, n), 0.0).sum(axis=1)
        return total

    def violation(self, values: Mapping[str, float]) -> float:
        """Sum of the relative excesses of one architecture; 0 exactly if everything is satisfied."""
        columns = {name: np.asarray([values[name]], dtype=np.float64) for name in self.names}
        return float(self.violations(columns, 1)[0])

    def satisfied(self, values: Mapping[str, float]) -> bool:
        return self.violation(values) == 0.0

    @property
    def bounds(self) -> dict[str, tuple[float | None, float | None]]:
        """(low, high) by name, as JSON and `of` have them."""
        return {constraint.name: (constraint.low, constraint.high) for constraint in self.members}

    def __iter__(self) -> Iterator[Constraint]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __str__(self) -> str:
        return " and ".join(map(str, self.members))


def _scale(bound: float) -> float:
    """What an excess is relative to; a bound of zero (or next to it) gives no scale."""
    return abs(bound) if abs(bound) > 1e-9 else 1.0


def _constraint(name: str, bound: Any, known: Mapping[str, Quantity]) -> Constraint:
    if name not in known:
        raise UsageError(f"The constraint on {name!r} cannot be checked: the evaluator can tell {listing(known)}.")
    sides = tuple(bound) if isinstance(bound, tuple | list) else (None, bound)
    numbers = all(side is None or (isinstance(side, Real) and not isinstance(side, bool)) for side in sides)
    if len(sides) != 2 or not numbers:
        raise UsageError(f"The constraint on {name!r} is {bound!r}; give an upper bound or a pair (low, high).")
    if known[name].goal == "max" and not isinstance(bound, tuple | list):
        raise UsageError(
            f"The constraint {name}={bound} would be an upper bound, but {name} is to be large; "
            f"write ({bound}, None) for at least {bound}."
        )
    low, high = (None if side is None else float(side) for side in sides)
    return Constraint(name, low, high)
