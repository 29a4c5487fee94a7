"""What is evaluated: the protocol that real networks, tables and toys implement, its values, and the best of them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from supernet.errors import RunError
from supernet.io import schema
from supernet.quantity import Quantity
from supernet.search import pareto
from supernet.search.constraints import Constraints
from supernet.space import Arch, Codes, Space
from supernet.space.text import in_shell

__all__ = ["Evaluation", "Evaluator", "Point"]


class Evaluator(Protocol):
    """Tells quantities of architectures. Cheap ones come by the population, the others one by one."""

    @property
    def space(self) -> Space:
        """The space that is searched; may be a sub-space (`space.restrict`)."""

    @property
    def quantities(self) -> Mapping[str, Quantity]:
        """Everything the evaluator can tell, by name."""

    @property
    def cheap(self) -> frozenset[str]:
        """Names that `costs` can compute for whole populations, such as MACs."""

    def costs(self, codes: Codes, name: str) -> NDArray[np.float64]:
        """One cheap quantity (N,) for a population (N, D)."""

    def evaluate(self, arch: Arch, names: Sequence[str]) -> Mapping[str, float]:
        """The named expensive quantities of one architecture, such as its accuracy."""


@runtime_checkable
class LooksAhead(Protocol):
    """An evaluator that can measure many architectures together for less than one by one."""

    def look_ahead(self, archs: Sequence[Arch], names: Sequence[str]) -> None:
        """Measure what `evaluate` will be asked for next, if that saves work."""
        ...


def costs_of(evaluator: Evaluator, codes: Codes, names: Iterable[str]) -> dict[str, NDArray[np.float64]]:
    """Checked columns (N,) of cheap quantities.

    Raises:
        RunError: the evaluator returned another shape, or a value that is not finite.
    """
    columns = {}
    for name in names:
        column = np.asarray(evaluator.costs(codes, name), dtype=np.float64)
        if column.shape != (len(codes),):
            raise RunError(
                f"The evaluator's costs for {name!r} have shape {column.shape}; "
                f"return one number per architecture, shape ({len(codes)},)."
            )
        if not np.isfinite(column).all():
            row = int(np.flatnonzero(~np.isfinite(column))[0])
            raise RunError(_not_finite(evaluator.space.wrap(codes[row : row + 1])[0], name, column[row]))
        columns[name] = column
    return columns


def values_of(evaluator: Evaluator, arch: Arch, names: Collection[str]) -> dict[str, float]:
    """Checked expensive quantities of one architecture; does not bother the evaluator for none.

    Raises:
        RunError: a value is missing or not finite.
    """
    if not names:
        return {}
    told = evaluator.evaluate(arch, tuple(names))
    for name in names:
        if name not in told:
            raise RunError(f"The evaluator was asked for {name!r} of {in_shell(arch)} but only told {sorted(told)}.")
        if not math.isfinite(told[name]):
            raise RunError(_not_finite(arch, name, told[name]))
    return {name: float(told[name]) for name in names}


def _not_finite(arch: Arch, name: str, value: float) -> str:
    return (
        f"The evaluator told {name} = {value} for {in_shell(arch)}. A search cannot rank such a value: find out why "
        "(diverged weights, a division by zero), then resume the search."
    )


@dataclass(frozen=True)
class Evaluation:
    """An evaluated architecture.

    Args:
        arch: The architecture.
        values: Its values by name, as the evaluator told them.
        generation: The round of `ask` in which it was evaluated.
        predicted: What a predictor had said of it before; None: nothing.
    """

    arch: Arch
    values: Mapping[str, float]
    generation: int
    predicted: Mapping[str, float] | None = None

    def to_json(self) -> dict[str, Any]:
        told = {"arch": self.arch.options(), "values": dict(self.values), "generation": self.generation}
        return told if self.predicted is None else told | {"predicted": dict(self.predicted)}


class Point(msgspec.Struct, frozen=True):
    """An evaluated architecture as it stands in `search.jsonl` and `front.json`: readable without the space.

    Args:
        arch: The option of every active choice, by the choice's name.
        values: The values of the quantities, by their names.
        generation: The round of `ask` in which it was evaluated; files of older versions do not say so.
        predicted: What a predictor had said before it was evaluated; None: nothing.
    """

    arch: schema.Arch
    values: dict[str, float]
    generation: int | None = None
    predicted: dict[str, float] | None = None

    def evaluation(self, space: Space) -> Evaluation:
        """The same in its space.

        Raises:
            UsageError: it is not an architecture of the space.
        """
        return Evaluation(space.arch(self.arch), self.values, self.generation or 0, self.predicted)


def losses_of(evaluations: Sequence[Evaluation], objectives: Sequence[Quantity]) -> NDArray[np.float64]:
    """The objectives (N, M) of N evaluations, less being better."""
    rows = [[o.loss(evaluation.values[o.name]) for o in objectives] for evaluation in evaluations]
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), len(objectives))


def best_of(
    evaluations: Sequence[Evaluation], n: int, objectives: Sequence[Quantity], constraints: Constraints
) -> list[Evaluation]:
    """The `n` best evaluations, for searches that must forget; among equals the earlier.

    What violates the constraints comes last, by violation. For one objective its value decides; for several the
    layers of non-dominated points, the first layer first, and a layer that does not fit whole is thinned evenly.
    """
    violations = np.asarray([constraints.violation(evaluation.values) for evaluation in evaluations], dtype=np.float64)
    return [evaluations[row] for row in pareto.best_rows(losses_of(evaluations, objectives), violations, n)]
