"""The result of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.io.files import write_json
from supernet.measure.quantity import Quantity
from supernet.search import pareto
from supernet.search.archive import Evaluation
from supernet.search.constraints import Constraints

FILE_NAME = "front.json"


@dataclass(frozen=True)
class Front:
    """What a search found.

    Args:
        objectives: What was optimised.
        constraints: What had to hold.
        archive: Every evaluated architecture, in order of evaluation.
        range: Smallest and largest value found of each cheap objective and constrained quantity over the space.
        feasible_share: Estimated share of the space that satisfies the constraints that are cheap to check.
        searcher: Name of the searcher.
        stopped: `"budget"`: it was used up. `"exhausted"`: the searcher found no further new feasible
            architecture. `"stalled"`: it kept asking for architectures it knew.
        remembered: What the points are chosen from, where the search had to forget; None: the whole archive.
        wrap: Settings of what went on beside the search.
    """

    objectives: tuple[Quantity, ...]
    constraints: Constraints
    archive: tuple[Evaluation, ...]
    range: Mapping[str, tuple[float, float]]
    feasible_share: float
    searcher: str
    stopped: str
    remembered: tuple[Evaluation, ...] | None = None
    wrap: Mapping[str, Any] | None = None

    @property
    def evaluations(self) -> int:
        """Number of evaluations; more than that of architectures where some were evaluated again."""
        return len(self.archive)

    @cached_property
    def _split(self) -> tuple[tuple[Evaluation, ...], tuple[Evaluation, ...]]:
        pool = self.archive if self.remembered is None else self.remembered
        feasible = [evaluation for evaluation in pool if self.constraints.satisfied(evaluation.values)]
        best = pareto.nondominated(self._losses(feasible))
        front = [evaluation for evaluation, keep in zip(feasible, best, strict=True) if keep]
        others = [evaluation for evaluation, keep in zip(feasible, best, strict=True) if not keep]
        costs = [objective for objective in self.objectives if objective.goal == "min"]
        along = (costs or list(self.objectives))[0].name
        front.sort(key=lambda evaluation: evaluation.values[along])
        return tuple(front), tuple(others)

    @property
    def points(self) -> tuple[Evaluation, ...]:
        """The feasible architectures no other dominates, in ascending order of the first objective that is a cost."""
        return self._split[0]

    @property
    def dominated(self) -> tuple[Evaluation, ...]:
        """The feasible architectures that some other dominates, in order of evaluation."""
        return self._split[1]

    def _losses(self, evaluations: Sequence[Evaluation]) -> NDArray[np.float64]:
        rows = [[o.loss(evaluation.values[o.name]) for o in self.objectives] for evaluation in evaluations]
        return np.asarray(rows, dtype=np.float64).reshape(len(rows), len(self.objectives))

    def best(self, name: str) -> Evaluation:
        """The point with the best value of one objective; the others decide between equals.

        Raises:
            UsageError: it is no objective of this search.
        """
        self._check(name)
        others = [o for o in self.objectives if o.name != name]
        ordered = [o for o in self.objectives if o.name == name] + others
        return min(self.points, key=lambda point: tuple(o.loss(point.values[o.name]) for o in ordered))

    def pick(self, n: int) -> tuple[Evaluation, ...]:
        """`n` points spread along the front, both ends among them; all points if there are no more.

        One point is the best in the first objective.

        Raises:
            UsageError: n is below 1.
        """
        if n < 1:
            raise UsageError(f"{n} points were to be picked; pick at least 1.")
        if n == 1:
            return (self.best(self.objectives[0].name),)
        return tuple(self.points[place] for place in pareto.spread(self._losses(self.points), n))

    def hypervolume(self, reference: Mapping[str, float]) -> float:
        """Volume the front dominates, up to a reference value of every objective; more is better.

        Raises:
            UsageError: the reference lacks an objective, or names something else.
        """
        for name in reference:
            self._check(name)
        missing = [o.name for o in self.objectives if o.name not in reference]
        if missing:
            raise UsageError(f"The reference point does not give {', '.join(missing)}; give every objective.")
        corner = np.asarray([o.loss(reference[o.name]) for o in self.objectives], dtype=np.float64)
        return pareto.hypervolume(self._losses(self.points), corner)

    def _check(self, name: str) -> None:
        names = [objective.name for objective in self.objectives]
        if name not in names:
            raise UsageError(f"{name!r} is not an objective of this search; those are {', '.join(map(repr, names))}.")

    def to_json(self) -> dict[str, Any]:
        """The contents of `front.json`."""
        return {
            "objectives": [objective.to_json() for objective in self.objectives],
            "constraints": self.constraints.to_json(),
            "searcher": self.searcher,
            "evaluations": self.evaluations,
            "range": {name: list(ends) for name, ends in self.range.items()},
            "feasible_share": self.feasible_share,
            "stopped": self.stopped,
            **({} if self.wrap is None else {"wrap": dict(self.wrap)}),
            "points": [{"arch": p.arch.options(), "values": dict(p.values)} for p in self.points],
        }

    def write(self, folder: Path) -> Path:
        """Write `front.json` atomically and return its path."""
        path = folder / FILE_NAME
        write_json(path, self.to_json())
        return path
