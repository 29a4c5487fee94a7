"""The architectures that several runs were all judged on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from supernet.bench.finished import FinishedRun
from supernet.bench.ranking import Ranking
from supernet.errors import UsageError

_MIN_SHARED = 30  # fewer architectures of different samples are no sample of either


def check_same_space(runs: Sequence[FinishedRun]) -> None:
    for run in runs:
        if run.space != runs[0].space:
            raise UsageError(
                f"{runs[0].path} and {run.path} cannot be compared: they are of different spaces "
                f"({runs[0].config.space.name} {runs[0].space} and {run.config.space.name} {run.space}), "
                "so they rank different architectures."
            )


def aligned(runs: Sequence[FinishedRun]) -> tuple[list[Ranking], list[str]]:
    """The rankings of the architectures that all runs were judged on, and what to say of that.

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
            first, other = (
                found.sign * values.true[row] for found, values in ((runs[0].metric, taken[0]), (run.metric, ranking))
            )
            raise UsageError(
                f"{runs[0].path} and {run.path} cannot be compared: they were judged against different truths "
                f"({first:g} and {other:g} for {archs[row]}). Judge them against one table."
            )
    return taken, notes
