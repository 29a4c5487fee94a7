"""An evaluated architecture, in memory and in the files of a search, and the best of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from supernet.io import schema
from supernet.measure.quantity import Quantity
from supernet.search import pareto
from supernet.search.constraints import Constraints
from supernet.space import Arch, Space

__all__ = ["Evaluation", "Point"]


@dataclass(frozen=True)
class Evaluation:
    """An evaluated architecture: its values by name, and the round of `ask` in which it was evaluated."""

    arch: Arch
    values: Mapping[str, float]
    generation: int

    def to_json(self) -> dict[str, Any]:
        return {"arch": self.arch.options(), "values": dict(self.values), "generation": self.generation}


class Point(msgspec.Struct, frozen=True):
    """An evaluated architecture as it stands in `search.jsonl` and `front.json`: readable without the space.

    Args:
        arch: The option of every active choice, by the choice's name.
        values: The values of the quantities, by their names.
        generation: The round of `ask` in which it was evaluated; files of older versions do not say so.
    """

    arch: schema.Arch
    values: dict[str, float]
    generation: int | None = None

    def evaluation(self, space: Space) -> Evaluation:
        """The same in its space.

        Raises:
            UsageError: it is not an architecture of the space.
        """
        return Evaluation(space.arch(self.arch), self.values, self.generation or 0)


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
    violations = [constraints.violation(evaluation.values) for evaluation in evaluations]
    feasible = [evaluation for evaluation, violation in zip(evaluations, violations, strict=True) if violation == 0]
    losses = losses_of(feasible, objectives)
    found: list[int] = []
    if len(objectives) == 1:
        found = np.argsort(losses[:, 0], kind="stable")[:n].tolist()
    left = np.arange(len(feasible))
    while len(left) and len(found) < min(n, len(feasible)):
        first = pareto.nondominated(losses[left])
        layer = left[first]
        layer = layer[np.lexsort(losses[layer].T[::-1])]
        found += layer[pareto.spread(losses[layer], n - len(found))].tolist()
        left = left[~first]
    others = [evaluations[row] for row in np.argsort(violations, kind="stable") if violations[row] > 0]
    return [*(feasible[row] for row in found), *others][:n]
