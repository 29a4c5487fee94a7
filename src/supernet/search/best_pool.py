"""The best few of what was evaluated, for searches that must forget."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from supernet.measure.quantity import Quantity
from supernet.search import pareto
from supernet.search.constraints import Constraints
from supernet.search.evaluation import Evaluation


def best(
    evaluations: Sequence[Evaluation], n: int, objectives: Sequence[Quantity], constraints: Constraints
) -> list[Evaluation]:
    """The `n` best evaluations; among equals the earlier.

    What violates the constraints comes last, by violation. For one objective its value decides; for several the
    layers of non-dominated points, the first layer first, and a layer that does not fit whole is thinned evenly.
    """
    feasible = [evaluation for evaluation in evaluations if constraints.satisfied(evaluation.values)]
    others = [evaluation for evaluation in evaluations if not constraints.satisfied(evaluation.values)]
    others.sort(key=lambda evaluation: constraints.violation(evaluation.values))
    return [*_best_feasible(feasible, n, objectives), *others][:n]


def _best_feasible(evaluations: list[Evaluation], n: int, objectives: Sequence[Quantity]) -> list[Evaluation]:
    losses = np.asarray([[o.loss(e.values[o.name]) for o in objectives] for e in evaluations], dtype=np.float64)
    if len(objectives) == 1:
        return [evaluations[row] for row in np.argsort(losses.reshape(-1), kind="stable")[:n]]
    left = np.arange(len(evaluations))
    found: list[int] = []
    while len(left) and len(found) < n:
        first = pareto.nondominated(losses[left])
        layer = left[first]
        layer = layer[np.lexsort(losses[layer].T[::-1])]
        found += layer[pareto.spread(losses[layer], n - len(found))].tolist()
        left = left[~first]
    return [evaluations[row] for row in found]
