"""The result of a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from supernet.errors import UsageError
from supernet.io.files import damaged, read_json, write_json
from supernet.quantity import LOSS, Quantity
from supernet.search import pareto
from supernet.search.constraints import Constraint, Constraints
from supernet.search.evaluation import Evaluation, Point, losses_of
from supernet.space import Space

__all__ = ["Front", "FrontFile"]

FILE_NAME = "front.json"
_PRINTED = 10

_SIZES: Mapping[int, tuple[str, ...]] = {2: ("small", "large"), 3: ("small", "medium", "large")}


class FrontFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `front.json`, readable without the network and its space; its fields are those of `Front`.

    Args:
        constraints: Bounds [low, high] by the name of a quantity.
        evaluations: Number of evaluations that the search made; None: the file does not say so.
        points: The architectures on the front, in the order of `Front.points`.
    """

    objectives: Annotated[tuple[Quantity, ...], msgspec.Meta(min_length=1)]
    constraints: dict[str, tuple[float | None, float | None]] = {}
    searcher: str = ""
    evaluations: int | None = None
    range: dict[str, tuple[float, float]] = {}
    feasible_share: float | None = None
    stopped: str = ""
    wrap: dict[str, Any] | None = None
    predictor: dict[str, Any] | None = None
    joined: dict[str, Any] | None = None
    points: tuple[Point, ...]

    @classmethod
    def read(cls, folder: Path) -> FrontFile | None:
        """Read `front.json` in a folder; None where there is none.

        Raises:
            RunError: the file is damaged; names the file and the place.
        """
        path = folder / FILE_NAME
        told = read_json(path, cls)
        if told is not None:
            _check_values(path, told, [objective.name for objective in told.objectives])
        return told


@dataclass(frozen=True, repr=False)
class Front:
    """What a search found. Printed, it is a line for each of its first points.

    Args:
        objectives: The quantities that were optimised.
        constraints: The bounds that had to hold.
        archive: Every evaluated architecture, in order of evaluation; of a front that was read from its file, those on
            the front.
        range: Smallest and largest value found of each cheap objective and constrained quantity over the space.
        feasible_share: Estimated share of the space that satisfies the constraints that are cheap to check.
        searcher: Name of the searcher.
        stopped: `"budget"`: it was used up. `"exhausted"`: the searcher found no further new feasible
            architecture. `"stalled"`: it kept asking for architectures it knew.
        remembered: The evaluations that the points are chosen from, where the search had to forget; None: the whole
            archive.
        wrap: Settings of what went on beside the search.
        recorded: Number of evaluations, where the archive does not hold them all.
        predictor: How good the predictions were that the search went by; None: it went by none. The values of all
            points are measured.
        joined: What each part of each joined objective brings, see `Joining.findings`; None: there is none.
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
    recorded: int | None = None
    predictor: Mapping[str, Any] | None = None
    joined: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        goals = self.objectives
        asked = ", ".join(f"{one.name} ({one.goal})" for one in goals)
        more = f"\n  and {len(self.points) - _PRINTED} more" if len(self.points) > _PRINTED else ""
        rows = [
            f"\n  {', '.join(f'{one.name} {one.text(point.values[one.name])}' for one in goals)}: {point.arch}"
            for point in self.points[:_PRINTED]
        ]
        return f"Front({asked}: {len(self.points)} points of {self.evaluations} evaluations){''.join(rows)}{more}"

    @property
    def evaluations(self) -> int:
        """Number of evaluations; more than that of architectures where some were evaluated again."""
        return len(self.archive) if self.recorded is None else self.recorded

    @cached_property
    def cost(self) -> str | None:
        """The quantity along which the points are in order, None where no objective or constraint is a cost.

        The first minimised objective beside the quality (the first maximised objective, else the loss, else the
        first); else the first quantity that the constraints bound from above.
        """
        goals = self.objectives
        quality = [o for o in goals if o.goal == "max"] or [o for o in goals if o.name == LOSS.name] or list(goals)
        costs = [o.name for o in goals if o.goal == "min" and o != quality[0]]
        costs += [c.name for c in self.constraints if c.high is not None and c.name not in {o.name for o in goals}]
        return costs[0] if costs else None

    @cached_property
    def _split(self) -> tuple[tuple[Evaluation, ...], tuple[Evaluation, ...]]:
        pool = self.archive if self.remembered is None else self.remembered
        feasible = [evaluation for evaluation in pool if self.constraints.satisfied(evaluation.values)]
        best = pareto.nondominated(losses_of(feasible, self.objectives))
        front = [evaluation for evaluation, keep in zip(feasible, best, strict=True) if keep]
        others = [evaluation for evaluation, keep in zip(feasible, best, strict=True) if not keep]
        along = self.cost or self.objectives[0].name
        front.sort(key=lambda evaluation: evaluation.values[along])
        return tuple(front), tuple(others)

    @property
    def points(self) -> tuple[Evaluation, ...]:
        """The feasible architectures no other dominates, in ascending order of `cost` (else of the first objective)."""
        return self._split[0]

    @property
    def dominated(self) -> tuple[Evaluation, ...]:
        """The feasible architectures that some other dominates, in order of evaluation."""
        return self._split[1]

    def best(self, objective: str | None = None) -> Evaluation:
        """The point with the best value of one objective; the others decide between equals, then the cost.

        Args:
            objective: Name of the objective; default: the first.

        Raises:
            UsageError: it is no objective of this search.
        """
        name = self.objectives[0].name if objective is None else objective
        self._check(name)
        ordered = sorted(self.objectives, key=lambda o: o.name != name)

        def key(point: Evaluation) -> tuple[float, ...]:
            told = tuple(o.loss(point.values[o.name]) for o in ordered)
            return told if self.cost is None else (*told, point.values[self.cost])

        return min(self.points, key=key)

    def spread(self, n: int) -> tuple[Evaluation, ...]:
        """`n` points spread along the front, in the order of `points`; all of them if there are no more.

        The best in the first objective is always among them, and is the only one for n = 1; next come both ends.

        Raises:
            UsageError: n is below 1.
        """
        if n < 1:
            raise UsageError(f"{n} points were to be picked; pick at least 1.")
        points, best = self.points, self.best()
        extent = losses_of(points, self.objectives)
        if self.cost is not None and self.cost not in {o.name for o in self.objectives}:
            extent = np.column_stack([extent, [point.values[self.cost] for point in points]])
        first = next(place for place, point in enumerate(points) if point is best)
        return tuple(points[place] for place in pareto.spread(extent, n, first))

    def named(self, n: int) -> dict[str, Evaluation]:
        """`spread(n)` by names that are true of the points.

        One is `best`; two or three of ascending cost are `small`, (`medium`,) `large`; else they are `front-01`, ….

        Raises:
            UsageError: n is below 1.
        """
        points, cost = self.spread(n), self.cost
        names = tuple(f"front-{place:02d}" for place in range(1, len(points) + 1))
        if len(points) == 1:
            names = ("best",)
        elif cost is not None and all(low.values[cost] < high.values[cost] for low, high in pairwise(points)):
            names = _SIZES.get(len(points), names)
        return dict(zip(names, points, strict=True))

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
        return pareto.hypervolume(losses_of(self.points, self.objectives), corner)

    def _check(self, name: str) -> None:
        names = [objective.name for objective in self.objectives]
        if name not in names:
            raise UsageError(f"{name!r} is not an objective of this search; those are {', '.join(map(repr, names))}.")

    def to_json(self) -> dict[str, Any]:
        """The content of `front.json`, see `FrontFile`."""
        held = {name: getattr(self, name) for name in FrontFile.__struct_fields__}
        held |= {"constraints": self.constraints.bounds, "points": [point.to_json() for point in self.points]}
        told: dict[str, Any] = msgspec.to_builtins(held)
        return {name: value for name, value in told.items() if value is not None}

    def write(self, folder: Path) -> Path:
        """Write `front.json` atomically and return its path."""
        path = folder / FILE_NAME
        write_json(path, self.to_json())
        return path

    @classmethod
    def read(cls, folder: Path, space: Space) -> Front:
        """Read what `write` has written.

        Args:
            folder: The folder that holds `front.json`.
            space: The space that was searched.

        Raises:
            UsageError: the folder holds no `front.json`.
            RunError: the file is damaged, or its architectures are not of this space; names the file and the place.
        """
        path = folder / FILE_NAME
        told = FrontFile.read(folder)
        if told is None:
            raise UsageError(
                f"{folder} has not been searched: it holds no {FILE_NAME}. Search it (supernet search {folder}), or "
                "name an architecture."
            )
        if not told.points or told.feasible_share is None:
            raise damaged(path, f"it holds no {'feasible_share' if told.points else 'points'}")
        _check_values(path, told, told.constraints)
        try:
            limits = Constraints(tuple(Constraint(name, *bounds) for name, bounds in told.constraints.items()))
            points = tuple(point.evaluation(space) for point in told.points)
        except UsageError as error:
            raise damaged(path, str(error)) from error
        return cls(
            objectives=told.objectives,
            constraints=limits,
            archive=points,
            range=told.range,
            feasible_share=told.feasible_share,
            searcher=told.searcher,
            stopped=told.stopped,
            wrap=told.wrap,
            recorded=told.evaluations,
            predictor=told.predictor,
            joined=told.joined,
        )


def _check_values(path: Path, told: FrontFile, names: Iterable[str]) -> None:
    for name in names:
        for place, point in enumerate(told.points):
            if name not in point.values:
                raise damaged(path, f"points[{place}].values has no value for {name!r}")
