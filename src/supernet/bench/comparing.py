"""From finished runs to the table that compares them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from supernet.bench.finished import FinishedRun, Ranking
from supernet.bench.grouping import differences, find_runs, grouped
from supernet.bench.notes import budget_notes
from supernet.bench.paired import paired_t
from supernet.bench.run_table import ADDED, FOUND, FREE, MEASURES, TOP_TAU, Row, RunTable
from supernet.errors import UsageError
from supernet.rank.checks import Floats, share_to_k
from supernet.rank.evidence import Draws, Estimate, Resamples, by_chance, contrast, draws, resamples, summarise
from supernet.rank.measures import TAU, Measure, add_ranks, dense_ranks

_MIN_TOP = 10  # fewer architectures rank by noise
_MIN_SHARED = 30  # fewer architectures of different samples are no sample of either


def compare_runs(paths: Sequence[Path], *, baseline: str | None = None) -> RunTable:
    """Compare run directories; those that differ only in their seed share a row.

    Args:
        paths: Run directories, or directories that hold some.
        baseline: Name of the row that the others are compared with; default: that of the first run.

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
        notes: To stand before our own.
        failed: Runs that failed, with the reason.
    """
    runs = [run for group in groups.values() for run in group]
    _check_same_space(runs)
    own_notes = [*notes, *budget_notes(groups)]
    first = groups[baseline or next(iter(groups))][0]
    changes = {name: differences(group[0].config, first.config) for name, group in groups.items()}
    if all(run.ranking is None for run in runs):
        return _found(groups, baseline, changes, own_notes, failed)
    rankings, shared_notes = _aligned(runs)
    by_run = dict(zip((id(run) for run in runs), rankings, strict=True))
    example = by_run[id(first)]
    own_notes += shared_notes
    own_notes += _free_notes(example, [by_run[id(group[0])] for group in groups.values()], first)
    n = len(example.archs)
    plan = resamples(n)
    measures = [m for m in MEASURES if m is not TOP_TAU or share_to_k(0.2, n) >= _MIN_TOP]
    drawn = {}
    for name, group in groups.items():
        predicted = np.stack([by_run[id(run)].predicted for run in group])
        drawn[name] = {m: draws(m, predicted, example.true, plan) for m in measures}
    free_drawn = {
        name: {m: draws(m, values[None], example.true, plan) for m in measures}
        for name, values in example.baselines.items()
    }
    rows = []
    for name, group in groups.items():
        ours, minus, paired = drawn[name], {}, None
        if baseline is not None and name != baseline:
            minus = {m.name: contrast(ours[m], drawn[baseline][m], plan, m.label) for m in measures}
            paired = paired_t(_by_seed(group, ours[TAU]), _by_seed(groups[baseline], drawn[baseline][TAU]))
        rows.append(
            Row(
                name=name,
                runs=group,
                figures=_estimates(ours, plan),
                minus_baseline=minus,
                minus_free={
                    free: contrast(ours[TAU], other[TAU], plan, TAU.label) for free, other in free_drawn.items()
                },
                added=_added([by_run[id(run)].predicted for run in group], example, plan),
                paired=paired,
                changes=changes[name],
            )
        )
    free = {name: _estimates(found, plan) for name, found in free_drawn.items()}
    any_order = next(iter(drawn.values()))
    free["random order"] = {m.name: by_chance(any_order[m], plan, m.label) for m in measures}
    return RunTable(
        rows=rows,
        baseline=baseline,
        measures=measures,
        free=free,
        n=n,
        best=float(example.true.max()),
        truth=first.truth,
        notes=own_notes,
        failed=failed,
    )


def _added(predicted: Sequence[Floats], example: Ranking, plan: Resamples) -> Estimate | None:
    if FREE not in example.baselines:
        return None
    ranked = np.stack([add_ranks(row, example.baselines[FREE]) for row in predicted])
    return summarise(draws(TAU, ranked, example.true, plan), plan, ADDED)


def _estimates(drawn: Mapping[Measure, Draws], plan: Resamples) -> dict[str, Estimate]:
    return {m.name: summarise(d, plan, m.label, higher_is_better=m.higher_is_better) for m, d in drawn.items()}


def _by_seed(group: Sequence[FinishedRun], drawn: Draws) -> dict[int, float]:
    return {run.seed: value for run, value in zip(group, drawn.observed.tolist(), strict=True)}


def _check_same_space(runs: Sequence[FinishedRun]) -> None:
    for run in runs:
        if run.space != runs[0].space:
            raise UsageError(
                f"{runs[0].path} and {run.path} cannot be compared: they are of different spaces "
                f"({runs[0].config.space.name} {runs[0].space} and {run.config.space.name} {run.space}), "
                "so they rank different architectures."
            )


def _aligned(runs: Sequence[FinishedRun]) -> tuple[list[Ranking], list[str]]:
    """The rankings of the architectures that all runs were judged on.

    Raises:
        UsageError: a run was not judged, the truths differ, or they share too few architectures.
    """
    rankings = []
    for run in runs:
        if run.ranking is None:
            raise UsageError(f"{run.path} was searched but not judged. Judge it first: supernet judge {run.path}.")
        rankings.append(run.ranking)
    shared = set(rankings[0].archs).intersection(*(ranking.archs for ranking in rankings[1:]))
    archs = tuple(arch for arch in rankings[0].archs if arch in shared)
    notes = []
    if any(len(ranking.archs) != len(archs) for ranking in rankings):
        sizes = sorted({len(ranking.archs) for ranking in rankings})
        if len(archs) < _MIN_SHARED:
            raise UsageError(
                f"The runs were judged on different architectures, and only {len(archs)} are common to all; at least "
                f"{_MIN_SHARED} are needed. Judge all of them against the same table with the same --archs."
            )
        notes.append(
            f"The runs were judged on different architectures ({', '.join(map(str, sizes))}); all figures here are of "
            f"the {len(archs)} that they share, and differ from those of the single runs."
        )
    taken = [ranking.take(archs) for ranking in rankings]
    for run, ranking in zip(runs, taken, strict=True):
        wrong = np.flatnonzero(ranking.true != taken[0].true)
        if len(wrong):
            row = int(wrong[0])
            raise UsageError(
                f"{runs[0].path} and {run.path} cannot be compared: they were judged against different truths "
                f"({taken[0].true[row]:g} and {ranking.true[row]:g} for {archs[row]}). Judge them against one table."
            )
    return taken, notes


def _free_notes(example: Ranking, others: Sequence[Ranking], first: FinishedRun) -> list[str]:
    """Say so where supernets of another width order the architectures differently by cost."""
    differing = [
        name
        for name, values in example.baselines.items()
        if any(
            name in other.baselines and (dense_ranks(other.baselines[name]) != dense_ranks(values)).any()
            for other in others
        )
    ]
    if not differing:
        return []
    return [
        f"The supernets differ in size, and order the architectures differently by {' and '.join(differing)}; the "
        f"rows of these are those of {first.path}."
    ]


def _found(
    groups: Mapping[str, Sequence[FinishedRun]],
    baseline: str | None,
    changes: Mapping[str, Mapping[str, Any]],
    notes: Sequence[str],
    failed: Sequence[str],
) -> RunTable:
    """The table of runs that were searched and not judged."""
    values: dict[str, dict[int, float]] = {}
    for name, group in groups.items():
        values[name] = {}
        for run in group:
            if run.found_accuracy is None:
                raise UsageError(f"The search of {run.path} did not measure accuracy, so there is nothing to compare.")
            values[name][run.seed] = run.found_accuracy
    rows = []
    for name, group in groups.items():
        each = tuple(values[name].values())
        figure = Estimate(sum(each) / len(each), None, None, None, 0, 0.95, each)
        paired = None if baseline in (None, name) else paired_t(values[name], values[str(baseline)])
        rows.append(
            Row(
                name=name,
                runs=group,
                figures={FOUND: figure},
                minus_baseline={},
                minus_free={},
                added=None,
                paired=paired,
                changes=changes[name],
            )
        )
    caution = (
        "The runs were searched and not judged. The accuracy is that of the best architecture found, on validation "
        "images and with inherited weights: it says how well a supernet is trained, not how well it ranks."
    )
    return RunTable(
        rows=rows,
        baseline=baseline,
        measures=(),
        free={},
        n=0,
        best=math.nan,
        truth="",
        notes=[caution, *notes],
        failed=failed,
    )
