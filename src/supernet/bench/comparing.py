"""From finished runs to the table that compares them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from supernet.bench.aligned import aligned, check_same_space
from supernet.bench.cautions import differing_order, unequal
from supernet.bench.finished import FinishedRun, differences
from supernet.bench.grouping import find_runs, grouped
from supernet.bench.paired import paired_t
from supernet.bench.ranking import Ranking
from supernet.bench.row import ADDED, DERIVED, FREE, MEASURES, RANDOM, TOP_TAU, Row
from supernet.bench.searched import searched
from supernet.bench.table import RunTable
from supernet.errors import UsageError
from supernet.judge.measuring import MIN_TOP
from supernet.judge.report_rows import MASS
from supernet.rank.checks import Floats, UndefinedError, share_to_k
from supernet.rank.evidence import (
    Draws,
    Estimate,
    Resamples,
    by_chance,
    contrast,
    draws,
    resamples,
    summarise,
    undefined,
)
from supernet.rank.measures import TAU, Measure, add_ranks

Drawn: TypeAlias = Draws | str
"""A measure of several trainings, or why it is undefined for them."""


def compare_runs(paths: Sequence[Path], *, baseline: str | None = None) -> RunTable:
    """Compare run directories; those that differ only in their seed share a row.

    Args:
        paths: Run directories, or directories that hold some.
        baseline: Name of the row that the others are compared with; None: that of the first run.

    Raises:
        UsageError: runs of different spaces, judged against different truths or on other architectures, or not at
            all; an unknown baseline.
        RunError: a file is damaged.
    """
    if not paths:
        raise UsageError("There is nothing to compare; give at least one run directory.")
    groups = grouped([FinishedRun.read(path) for path in find_runs(paths)])
    if baseline is not None and baseline not in groups:
        raise UsageError(f"There is no row {baseline!r} to compare with; there are {', '.join(groups)}.")
    return tabulate(groups, baseline=baseline or next(iter(groups)))


def tabulate(
    groups: Mapping[str, Sequence[FinishedRun]],
    *,
    baseline: str | None,
    notes: Sequence[str] = (),
    failed: Sequence[str] = (),
) -> RunTable:
    """Compare groups of runs; see `compare_runs`.

    Args:
        groups: The runs of each cell.
        baseline: Cell that the others are compared with; None: nothing is.
        notes: Sentences to stand before those that the comparison adds.
        failed: Runs that failed, with the reason.
    """
    runs = [run for group in groups.values() for run in group]
    check_same_space(runs)
    told = [*notes, *unequal(groups)]
    first = groups[baseline or next(iter(groups))][0]
    changes = {name: differences(group[0].config, first.config) for name, group in groups.items()}
    if all(run.ranking is None for run in runs):
        return searched(groups, baseline, changes, told, failed)
    common, shared = aligned(runs)
    by_run = {id(run): ranking for run, ranking in zip(runs, common, strict=True)}
    rankings = {name: [by_run[id(run)] for run in group] for name, group in groups.items()}
    example = by_run[id(first)]
    told += shared + differing_order(example, [group[0] for group in rankings.values()], first)
    judged = _Judged.of(groups, rankings, example)
    for name, found in judged.cells.items():
        if isinstance(reason := found[TAU], str):
            told.append(f"The figures of {name} are undefined: {reason}")
    if len({run.derived.n for run in runs if run.derived is not None}) > 1:
        told.append("The derived architectures were ranked among different numbers of architectures.")
    return RunTable(
        rows=[judged.row(name, baseline, changes[name]) for name in groups],
        baseline=baseline,
        measures=judged.measures,
        free={name: _estimates(found, judged.plan) for name, found in judged.free.items()} | {RANDOM: judged.random()},
        n=judged.n,
        best=float(example.true.max()),
        truth=first.truth,
        notes=told,
        failed=failed,
    )


@dataclass(frozen=True, eq=False)
class _Judged:
    """Groups of runs that were judged on the same architectures.

    Attributes:
        groups: The runs of each cell.
        rankings: What each of them ranks, on the architectures that all have.
        example: The ranking whose truth and free rankings stand for those of all.
        plan: The architectures of each resample.
        measures: What is measured on so many architectures.
        cells: Draws of the measures, by cell.
        free: Draws of the measures of the rankings that cost nothing.
    """

    groups: Mapping[str, Sequence[FinishedRun]]
    rankings: Mapping[str, Sequence[Ranking]]
    example: Ranking
    plan: Resamples
    measures: Sequence[Measure]
    cells: Mapping[str, Mapping[Measure, Drawn]]
    free: Mapping[str, Mapping[Measure, Drawn]]

    @classmethod
    def of(
        cls,
        groups: Mapping[str, Sequence[FinishedRun]],
        rankings: Mapping[str, Sequence[Ranking]],
        example: Ranking,
    ) -> _Judged:
        """Draw the measures of all."""
        n = len(example.archs)
        plan = resamples(n)
        measures = [m for m in MEASURES if m is not TOP_TAU or share_to_k(0.2, n) >= MIN_TOP]

        def drawn(predicted: Floats) -> dict[Measure, Drawn]:
            return {m: _drawn(partial(draws, m, predicted, example.true, plan)) for m in measures}

        cells = {name: drawn(np.stack([ranking.predicted for ranking in group])) for name, group in rankings.items()}
        free = {name: drawn(values[None]) for name, values in example.baselines.items()}
        return cls(groups, rankings, example, plan, measures, cells, free)

    @property
    def n(self) -> int:
        """The number of architectures."""
        return len(self.example.archs)

    def row(self, name: str, baseline: str | None, changes: Mapping[str, Any]) -> Row:
        """The row of a cell, beside the baseline and the rankings that cost nothing."""
        group, ours, minus, paired = self.groups[name], self.cells[name], dict[str, Estimate](), None
        if baseline is not None and name != baseline:
            theirs = self.cells[baseline]
            minus = {m.name: _contrast(ours[m], theirs[m], self.plan, m) for m in self.measures}
            paired = paired_t(_by_seed(group, ours[TAU]), _by_seed(self.groups[baseline], theirs[TAU]))
        return Row(
            name=name,
            runs=group,
            figures={**_estimates(ours, self.plan), **_learned(group, self.n)},
            minus_baseline=minus,
            minus_free={other: _contrast(ours[TAU], found[TAU], self.plan, TAU) for other, found in self.free.items()},
            added=_added(self.rankings[name], self.example, self.plan),
            paired=paired,
            changes=changes,
        )

    def random(self) -> dict[str, Estimate]:
        """The figures of random orders, of drawing uniformly and of random architectures."""
        every = [*self.cells.values(), *self.free.values()]
        found = {m.name: _chance(m, every, self.plan) for m in self.measures}
        runs = [run for group in self.groups.values() for run in group]
        if masses := [run.mass for run in runs if run.mass is not None]:
            found |= _figures((MASS,), [[uniform] for _, uniform in masses[:1]], self.n)
        if standings := [run.derived for run in runs if run.derived is not None]:
            expected = [(one.random_true, one.random_rank, one.random_regret) for one in standings]
            found |= _figures(DERIVED, [np.mean(expected, axis=0)], standings[0].n)
        return found


def _drawn(make: Callable[[], Draws]) -> Drawn:
    try:
        return make()
    except UndefinedError as error:
        return str(error)


def _estimates(drawn: Mapping[Measure, Drawn], plan: Resamples) -> dict[str, Estimate]:
    return {m.name: _estimate(found, plan, m.label, m.higher_is_better) for m, found in drawn.items()}


def _estimate(drawn: Drawn, plan: Resamples, label: str, higher_is_better: bool = True) -> Estimate:
    if isinstance(drawn, str):
        return undefined(drawn, plan)
    return summarise(drawn, plan, label, higher_is_better=higher_is_better)


def _contrast(ours: Drawn, theirs: Drawn, plan: Resamples, measure: Measure) -> Estimate:
    if isinstance(ours, str) or isinstance(theirs, str):
        return undefined(ours if isinstance(ours, str) else str(theirs), plan)
    return contrast(ours, theirs, plan, measure.label)


def _chance(measure: Measure, drawn: Sequence[Mapping[Measure, Drawn]], plan: Resamples) -> Estimate:
    """What random orders reach, of the first scores that define the measure."""
    reason = ""
    for found in drawn:
        one = found[measure]
        try:
            if not isinstance(one, str):
                return by_chance(one, plan, measure.label)
            reason = reason or one
        except UndefinedError as error:
            reason = str(error)
    return undefined(reason, plan)


def _added(group: Sequence[Ranking], example: Ranking, plan: Resamples) -> Estimate | None:
    if FREE not in example.baselines:
        return None

    def drawn() -> Draws:
        ranked = [add_ranks(ranking.predicted, example.baselines[FREE]) for ranking in group]
        return draws(TAU, np.stack(ranked), example.true, plan)

    return _estimate(_drawn(drawn), plan, ADDED)


def _learned(group: Sequence[FinishedRun], n: int) -> dict[str, Estimate]:
    """The figures of architecture weights and of derived architectures; none unless every training has them."""
    found: dict[str, Estimate] = {}
    masses = [run.mass for run in group if run.mass is not None]
    if len(masses) == len(group):
        found |= _figures((MASS,), [[ours] for ours, _ in masses], n)
    known = [run.derived for run in group if run.derived is not None]
    if len(known) == len(group):
        found |= _figures(DERIVED, [(one.true, one.rank, one.regret) for one in known], known[0].n)
    return found


def _figures(names: Iterable[str], found: ArrayLike, n: int) -> dict[str, Estimate]:
    """Figures by name without intervals, from the values (S, names) of S trainings and N architectures."""
    columns = np.asarray(found, dtype=np.float64).T.tolist()
    return {
        name: Estimate(sum(values) / len(values), None, None, None, n, 0.95, tuple(values))
        for name, values in zip(names, columns, strict=True)
    }


def _by_seed(group: Sequence[FinishedRun], drawn: Drawn) -> dict[int, float]:
    if isinstance(drawn, str):
        return {}
    return {run.seed: value for run, value in zip(group, drawn.observed.tolist(), strict=True)}
