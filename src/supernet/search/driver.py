"""The loop that runs any searcher on any evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from supernet.errors import RunError, UsageError
from supernet.search.archive import Archive, Evaluation
from supernet.search.constraints import Bounds, Constraints
from supernet.search.evaluator import Evaluator, costs_of, values_of
from supernet.search.front import Front
from supernet.search.quantity import Quantity, objectives_of
from supernet.search.survey import survey
from supernet.search.task import Searcher, Task
from supernet.space import Arch, Codes

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called as `progress(done, total, best)` after every evaluation."""

_IDLE_ROUNDS = 1000
_ROUNDING = 1e-6


def run(
    factory: Callable[[Task], Searcher],
    evaluator: Evaluator,
    *,
    objectives: str | Sequence[str],
    constraints: Mapping[str, Bounds] | Constraints | None = None,
    budget: int,
    seed: int = 0,
    out: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Front:
    """Search under constraints.

    Every architecture is evaluated at most once; asking for it again is free. With `out`, each evaluation is
    appended to `out/search.jsonl` at once and the result goes to `out/front.json`. A resumed search ends with the very
    file an uninterrupted one writes, provided the evaluator repeats itself; a larger budget continues it.

    Args:
        factory: Makes the searcher from its task, such as `Evolution` or `lambda task: NSGA2(task, population=20)`.
        evaluator: Where values come from.
        objectives: Names of the quantities to optimise.
        constraints: Name → upper bound or (low, high). Cheap ones are checked before an architecture is proposed,
            others after it has been evaluated.
        budget: Largest number of architectures to evaluate.
        seed: Seed of everything random.
        out: Folder of the record; None keeps none.
        resume: Continue the record in `out`, if there is one.
        progress: Called after every evaluation.

    Raises:
        UsageError: the request is wrong, or nothing feasible exists or was found before the first evaluation.
        RunError: a value is not finite; the record belongs to another search; the searcher breaks its protocol; or
            no evaluated architecture satisfies the constraints.
    """
    goals = objectives_of(objectives, evaluator.quantities)
    limits = Constraints.of(constraints, evaluator.quantities)
    if budget < 1:
        raise UsageError(f"The budget is {budget} evaluations; give at least 1.")
    names = tuple(dict.fromkeys([goal.name for goal in goals] + list(limits.names)))
    cheap = [name for name in names if name in evaluator.cheap]
    quick = limits.only(cheap)
    # The survey has a stream of its own: what it draws does not shift what the searcher draws.
    found = survey(evaluator, cheap, quick, np.random.default_rng([seed, 1]))

    def feasible(codes: Codes) -> NDArray[np.bool_]:
        satisfied: NDArray[np.bool_] = quick.violations(costs_of(evaluator, codes, quick.names), len(codes)) == 0
        return satisfied

    searcher = factory(Task(evaluator.space, goals, seed, feasible, limits, found.known))
    with Archive(out, evaluator.space, names, resume=resume) as archive:
        if len(archive.recorded) > budget:
            raise UsageError(
                f"{archive.path} holds {len(archive.recorded)} evaluations, more than the budget of {budget}; "
                "resume with at least that budget."
            )
        ledger = _Ledger(evaluator, goals, limits, names, archive)
        stopped = _search(searcher, ledger, budget, progress)
        ledger.check_replayed()
    if ledger.feasible == 0:
        raise RunError(ledger.nothing_feasible())
    front = Front(goals, limits, tuple(ledger.evaluations), found.ranges, found.feasible_share, searcher.name, stopped)
    if out is not None:
        front.write(Path(out))
    return front


def _search(searcher: Searcher, ledger: _Ledger, budget: int, progress: Progress | None) -> str:
    generation, idle = 0, 0
    while (before := len(ledger.evaluations)) < budget:
        archs = searcher.ask(budget - before)
        if not archs:
            return "exhausted"
        if len(archs) > budget - before:
            raise RunError(f"{searcher.name} asked for {len(archs)} architectures when at most {budget - before} fit.")
        costs = ledger.costs(archs, searcher.name)
        for arch, cost in zip(archs, costs, strict=True):
            if ledger.settle(arch, cost, generation) and progress is not None:
                progress(len(ledger.evaluations), budget, ledger.best())
        searcher.tell(archs, [ledger.known[arch].values for arch in archs])
        generation += 1
        idle = 0 if len(ledger.evaluations) > before else idle + 1
        if idle == _IDLE_ROUNDS:
            return "stalled"
    return "budget"


class _Ledger:
    """Values of architectures: remembered, else taken from the record of an earlier run, else evaluated."""

    def __init__(
        self,
        evaluator: Evaluator,
        objectives: tuple[Quantity, ...],
        constraints: Constraints,
        names: tuple[str, ...],
        archive: Archive,
    ) -> None:
        self.evaluator, self.objectives, self.constraints, self.archive = evaluator, objectives, constraints, archive
        self.names = names
        self.cheap = [name for name in names if name in evaluator.cheap]
        self.dear = [name for name in names if name not in evaluator.cheap]
        self.known: dict[Arch, Evaluation] = {}
        self.evaluations: list[Evaluation] = []
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
                f"{searcher} asked for {arch}, which is infeasible or outside the space. A searcher must propose "
                "only what task.feasible and task.space allow; correct the searcher."
            )
        return [{name: float(columns[name][row]) for name in self.cheap} for row in range(len(archs))]

    def settle(self, arch: Arch, cost: dict[str, float], generation: int) -> bool:
        """Make the values of one architecture known; False if they already were."""
        if arch in self.known:
            return False
        place = len(self.evaluations)
        if place < len(self.archive.recorded):
            evaluation = self._recall(place, arch, cost, generation)
        else:
            told = cost | values_of(self.evaluator, arch, self.dear)
            evaluation = Evaluation(arch, {name: told[name] for name in self.names}, generation)
            self.archive.append(evaluation)
        self.known[arch] = evaluation
        self.evaluations.append(evaluation)
        if self.constraints.satisfied(evaluation.values):
            self.feasible += 1
            for o in self.objectives:
                loss = o.loss(evaluation.values[o.name])
                self._best[o.name] = min(loss, self._best.get(o.name, loss))
        return True

    def _recall(self, place: int, arch: Arch, cost: dict[str, float], generation: int) -> Evaluation:
        recorded = self.archive.recorded[place]
        where = f"{self.archive.path}, line {place + 1}"
        if recorded.arch != arch or recorded.generation != generation:
            raise RunError(
                f"{where} records {recorded.arch}, but the resumed search asks for {arch}: it was begun with "
                "another seed, other settings or another version. Resume with those, or search anew in another folder."
            )
        for name, value in cost.items():
            if not np.isclose(recorded.values[name], value, rtol=_ROUNDING, atol=0.0):
                raise RunError(
                    f"{where} records {name} = {recorded.values[name]}, but the evaluator now tells {value}: "
                    "it was begun with another evaluator. Resume with that one, or search anew in another folder."
                )
        return recorded

    def check_replayed(self) -> None:
        """Refuse a record that holds more than the search asked for."""
        place = len(self.evaluations)
        if place < len(self.archive.recorded):
            raise RunError(
                f"{self.archive.path}, line {place + 1} records {self.archive.recorded[place].arch}, but the resumed "
                "search ends before it: it was begun with another seed, other settings or another version. Resume "
                "with those, or search anew in another folder."
            )

    def best(self) -> str:
        """The best value of each objective so far, for a progress line."""
        if not self._best:
            return "nothing feasible yet"
        return ", ".join(f"{o.name} {o.text(o.loss(self._best[o.name]))}" for o in self.objectives)

    def nothing_feasible(self) -> str:
        found = []
        for name in self.constraints.names:
            values = [evaluation.values[name] for evaluation in self.evaluations]
            found.append(f"{name} from {min(values):.6g} to {self.evaluator.quantities[name].text(max(values))}")
        return (
            f"None of the {len(self.evaluations)} evaluated architectures satisfies {self.constraints}; they have "
            f"{'; '.join(found)}. Loosen the constraints or raise the budget."
        )
