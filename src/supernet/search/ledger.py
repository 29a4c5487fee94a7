"""The values of architectures during a search: each known once, or the latest where values go stale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from supernet.errors import RunError
from supernet.search.archive import Archive
from supernet.search.evaluation import Evaluation, Evaluator, LooksAhead, best_of, costs_of, values_of
from supernet.search.problem import Companion, Predicting, Problem
from supernet.space import Arch
from supernet.space.text import in_shell

# Costs may come from a matrix product, whose last digits depend on the size of the batch.
_ROUNDING = 1e-6
_CHANGED = (
    "the searcher or the evaluator has changed since. Resume with the version it was begun with, or search anew in "
    "another folder."
)


class Ledger:
    """Values of architectures: remembered, else taken from the record of an earlier run, else evaluated.

    With `problem.keep` values go stale: an architecture that is asked for in a later generation is evaluated again, the
    latest values count, and the best `keep` architectures are remembered.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        problem: Problem,
        names: tuple[str, ...],
        archive: Archive,
        companion: Companion | None,
        predicting: Predicting | None = None,
    ) -> None:
        self.evaluator, self.names, self.archive, self.companion = evaluator, names, archive, companion
        self.predicting = predicting
        self.objectives, self.constraints, self.keep = problem.objectives, problem.constraints, problem.keep
        self.cheap = [name for name in names if name in evaluator.cheap]
        self.dear = [name for name in names if name not in evaluator.cheap]
        self.known: dict[Arch, Evaluation] = {}
        self.evaluations: list[Evaluation] = []
        self._kept: dict[Arch, Evaluation] = {}
        self.feasible = 0
        self._best: dict[str, float] = {}

    def costs(self, archs: Sequence[Arch], searcher: str) -> list[dict[str, float]]:
        """Cheap quantities of everything asked (known or not, so that a resumed search computes the same batches)."""
        codes = self.evaluator.space.codes(archs)
        columns = costs_of(self.evaluator, codes, self.cheap)
        quick = self.constraints.only(self.cheap)
        wrong = (quick.violations(columns, len(archs)) > _ROUNDING) | ~self.evaluator.space.contains(codes)
        if wrong.any():
            arch = archs[int(wrong.argmax())]
            raise RunError(
                f"{searcher} asked for {in_shell(arch)}, which is infeasible or outside the space. A searcher must "
                "propose only what problem.feasible and problem.space allow; correct the searcher."
            )
        return [{name: float(columns[name][row]) for name in self.cheap} for row in range(len(archs))]

    def look_ahead(self, archs: Sequence[Arch]) -> None:
        """Let the evaluator measure together what will be settled next and is not on record."""
        if self.companion is None and self.dear and isinstance(self.evaluator, LooksAhead):
            fresh = list(dict.fromkeys(arch for arch in archs if self.keep is not None or arch not in self.known))
            self.evaluator.look_ahead(fresh[max(0, len(self.archive.recorded) - len(self.evaluations)) :], self.dear)

    def settle(self, arch: Arch, cost: dict[str, float], generation: int) -> bool:
        """Make the values of one architecture known; False if they already were."""
        if arch in self.known and (self.keep is None or self.known[arch].generation == generation):
            return False
        place = len(self.evaluations)

        def evaluate() -> Evaluation:
            if place < len(self.archive.recorded):
                return self._recall(place, arch, cost, generation)
            told = cost | values_of(self.evaluator, arch, self.dear)
            values = {name: told[name] for name in self.names}
            predicted = None if self.predicting is None else self.predicting.predicted(arch)
            evaluation = Evaluation(arch, values, generation, predicted)
            self.archive.append(evaluation)
            return evaluation

        evaluation = evaluate() if self.companion is None else self.companion.candidate(arch, place, evaluate)
        self.known[arch] = evaluation
        if self.keep is not None:
            self._kept[arch] = evaluation
        self.evaluations.append(evaluation)
        if self.constraints.satisfied(evaluation.values):
            self.feasible += 1
            for o in self.objectives:
                loss = o.loss(evaluation.values[o.name])
                self._best[o.name] = min(loss, self._best.get(o.name, loss))
        return True

    def end_generation(self) -> None:
        """Forget all but the best, where values go stale."""
        if self.keep is not None:
            best = best_of(tuple(self._kept.values()), self.keep, self.objectives, self.constraints)
            self._kept = {evaluation.arch: evaluation for evaluation in best}

    def remembered(self) -> tuple[Evaluation, ...]:
        """What the result is chosen from."""
        return tuple(self.evaluations if self.keep is None else self._kept.values())

    def _recall(self, place: int, arch: Arch, cost: dict[str, float], generation: int) -> Evaluation:
        recorded = self.archive.recorded[place]
        if recorded.arch != arch or recorded.generation != generation:
            raise RunError(
                f"{self._line(place)} records {in_shell(recorded.arch)} in round {recorded.generation}, but the "
                f"resumed search asks for {in_shell(arch)} in round {generation}: {_CHANGED}"
            )
        for name, value in cost.items():
            if not np.isclose(recorded.values[name], value, rtol=_ROUNDING, atol=0.0):
                raise RunError(
                    f"{self._line(place)} records {name} = {recorded.values[name]}, but the evaluator now tells "
                    f"{value}: it was begun with another evaluator. Resume with that one, or search anew in another "
                    "folder."
                )
        return recorded

    def check_replayed(self) -> None:
        """Refuse a record that holds more than the search asked for."""
        place = len(self.evaluations)
        if place < len(self.archive.recorded):
            arch = self.archive.recorded[place].arch
            raise RunError(
                f"{self._line(place)} records {in_shell(arch)}, but the resumed search ends before it: {_CHANGED}"
            )

    def _line(self, place: int) -> str:
        return f"{self.archive.path}, line {place + 1}"

    def best(self) -> str:
        """The best value of each objective so far, for a progress line."""
        if not self._best:
            return "nothing feasible yet"
        return ", ".join(f"{o.name} {o.text(o.loss(self._best[o.name]))}" for o in self.objectives)

    def nothing_feasible(self) -> str:
        if not self.evaluations:
            return "The searcher proposed no architecture at all, so that there is nothing to choose from."
        found = []
        for name in self.constraints.names:
            values = [evaluation.values[name] for evaluation in self.evaluations]
            found.append(f"{name} from {min(values):.6g} to {self.evaluator.quantities[name].text(max(values))}")
        return (
            f"None of the {len(self.evaluations)} evaluated architectures satisfies {self.constraints}; they have "
            f"{'; '.join(found)}. Loosen the constraints or raise the budget."
        )
