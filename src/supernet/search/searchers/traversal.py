"""The traversal of DNA: the best paths of all stages together (Li et al., CVPR 2020, https://arxiv.org/abs/1911.13053)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.io.section import Positive, Section
from supernet.search.problem import Problem, Rounds
from supernet.search.rows import best_rows
from supernet.space import Arch, Codes

_TOLERANCE = 1e-6  # of the range of a cost, by which a sum over stages may be off
_TRIED = 64


@dataclass(frozen=True, kw_only=True)
class Traversal(Section, place="traversal."):
    """The best architectures of the whole space, from a table of what each path of each stage is worth. One objective.

    DNA, [arXiv 1911.13053](https://arxiv.org/abs/1911.13053), §3.4. The objective must be a sum over stages, such as
    `StageLoss`: every path of every stage is rated once, and all combinations are searched by bounds, so that the first
    architecture is the best there is within the constraints. They must be cheap sums over stages too, such as `macs`
    and `params`. What it asks for is evaluated like any other architecture.

    Args:
        best: Number of architectures that are asked for, from the best on.
        most: Largest number of paths of a stage; more are refused, since each is rated.

    Raises:
        UsageError: a number outside its range.
    """

    name: ClassVar[str] = "traversal"
    most_objectives: ClassVar[int] = 1

    best: Positive = 10
    most: Positive = 100_000

    def begin(self, problem: Problem) -> Rounds:
        """Start a search, see `Searcher`.

        Raises:
            UsageError: several objectives, or one that is no sum over stages; a constraint that is not cheap, or no sum
                over stages; choices that belong to no stage; or a stage of too many paths.
        """
        problem.require_one_objective("Traversal")
        tables = _Tables(self, problem)
        left = [True]

        def propose() -> list[Arch]:
            if not left[0]:
                return []
            left[0] = False
            return tables.best(self.best)

        return Rounds(propose)


class _Tables:
    """The paths of each stage, with their costs; what they are worth is asked for when the search begins."""

    def __init__(self, settings: Traversal, problem: Problem) -> None:
        self.problem, self.space = problem, problem.space
        self.goal = problem.objectives[0]
        terms = problem.terms
        if terms is None or terms.name != self.goal.name:
            raise UsageError(
                f"Traversal adds up what the paths of each stage are worth, but {self.goal.name} is no sum over "
                "stages. Rank by one, such as that of methods.dna (StageLoss), or use evolution."
            )
        dear = [name for name in problem.constraints.names if name not in problem.costs and name != self.goal.name]
        if dear:
            raise UsageError(
                f"Traversal keeps constraints by tables, but {dear[0]} is not told for whole populations. Give it a "
                "model that tells it, such as a table of latencies, or use evolution."
            )
        self.terms = terms
        self.columns = [[self.space.column(name) for name in stage] for stage in terms.stages]
        inside = {column for columns in self.columns for column in columns}
        fixed = [c for c in range(len(self.space)) if c not in inside and len(self.space.allowed_codes[c]) > 1]
        if fixed:
            raise UsageError(
                f"The choice {self.space.names[fixed[0]]!r} belongs to no stage, so its options cannot be compared. "
                "Restrict the space to one of them, or name the stages so that one has it."
            )
        self.base = np.asarray(problem.known[:1])
        self.paths = [self._paths(number, settings.most) for number in range(len(self.columns))]
        self.names = [name for name in problem.constraints.names if name in problem.costs]
        self.costs = [self._costs(paths) for paths in self.paths]
        self._check_sums()

    def _paths(self, number: int, most: int) -> Codes:
        """The base with every path of one stage (n, D)."""
        mine, base = set(self.columns[number]), self.base[0]
        rest = {
            choice.name: [choice.options[self._kept(column, int(base[column]))]]
            for column, choice in enumerate(self.space.choices)
            if column not in mine
        }
        paths = self.space.restrict(rest)
        if paths.size > most:
            raise UsageError(
                f"Stage {number} has {paths.size:,} paths, each of which would be rated; at most {most:,} are "
                "(traversal.most). Restrict the space, make its stages shorter, or use evolution."
            )
        return self.space.codes(list(paths.enumerate()))

    def _kept(self, column: int, code: int) -> int:
        """The code of the base, or where its choice is not active there, one that is allowed."""
        allowed = self.space.allowed_codes[column].tolist()
        return code if code in allowed else int(allowed[0])

    def _costs(self, codes: Codes) -> NDArray[np.float64]:
        """What the paths of a stage cost more than the base's (n, M)."""
        told = [self.problem.costs[name](codes) - self.problem.costs[name](self.base) for name in self.names]
        return np.stack(told, axis=1) if told else np.zeros((len(codes), 0))

    def _check_sums(self) -> None:
        rng = np.random.default_rng([self.problem.seed, 3])
        rows = np.stack([rng.integers(len(paths), size=_TRIED) for paths in self.paths], axis=1)
        whole = self._joined(rows)
        summed = sum(cost[rows[:, number]] for number, cost in enumerate(self.costs))
        for m, name in enumerate(self.names):
            found = self.problem.costs[name](whole) - self.problem.costs[name](self.base)
            off = float(np.abs(found - summed[:, m]).max())  # type: ignore[index]
            if off > _TOLERANCE * max(1.0, float(np.ptp(found))):
                raise UsageError(
                    f"Traversal adds up {name} over the stages, but that of whole architectures differs from the sum "
                    f"by up to {off:.3g}: stages share layers or sizes. Use evolution, or other stages."
                )

    def _joined(self, rows: NDArray[np.int64]) -> Codes:
        """The architectures (N, D) of a path per stage."""
        codes = np.repeat(self.base, len(rows), axis=0)
        for number, columns in enumerate(self.columns):
            codes[:, columns] = self.paths[number][rows[:, number]][:, columns]
        return self.space.canonical(codes)

    def best(self, count: int) -> list[Arch]:
        """The best architectures within the constraints, the best first."""
        losses = [self._losses(number, paths) for number, paths in enumerate(self.paths)]
        base = [float(self.problem.costs[name](self.base)[0]) for name in self.names]
        bounds = [self.problem.constraints.bounds[name] for name in self.names]
        low = np.asarray([-np.inf if b[0] is None else b[0] - a for a, b in zip(base, bounds, strict=True)])
        high = np.asarray([np.inf if b[1] is None else b[1] - a for a, b in zip(base, bounds, strict=True)])
        found = self._joined(best_rows(losses, self.costs, low=low, high=high, count=count).rows)
        return self.space.wrap(found[self.problem.feasible(found)] if len(found) else found)

    def _losses(self, number: int, paths: Codes) -> NDArray[np.float64]:
        archs: Sequence[Arch] = self.space.wrap(paths)
        return np.asarray([self.goal.loss(self.terms.of(arch)[number]) for arch in archs], dtype=np.float64)
