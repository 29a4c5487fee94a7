"""The table that compares runs which were searched and not judged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from supernet.bench.finished import FinishedRun
from supernet.bench.paired import paired_t
from supernet.bench.row import Row, found_of
from supernet.bench.table import RunTable
from supernet.errors import UsageError
from supernet.rank.evidence import Estimate


def searched(
    groups: Mapping[str, Sequence[FinishedRun]],
    baseline: str | None,
    changes: Mapping[str, Mapping[str, Any]],
    notes: Sequence[str],
    failed: Sequence[str],
) -> RunTable:
    """The table of runs that were searched and not judged, by the best score that each search found.

    Args:
        groups: The runs of each cell.
        baseline: Cell that the others are compared with; None: nothing is.
        changes: Settings in which each cell differs from the baseline.
        notes: Sentences to stand after what is said of such runs.
        failed: Runs that failed, with the reason.

    Raises:
        UsageError: runs that compare networks by different scores, or whose search did not measure it.
    """
    score = next(iter(groups.values()))[0].score
    values = _values(groups)
    rows = []
    for name, group in groups.items():
        each = tuple(values[name].values())
        rows.append(
            Row(
                name=name,
                runs=group,
                figures={found_of(score): Estimate(sum(each) / len(each), None, None, None, 0, 0.95, each)},
                minus_baseline={},
                minus_free={},
                added=None,
                paired=None if baseline is None or name == baseline else paired_t(values[name], values[baseline]),
                changes=changes[name],
            )
        )
    caution = (
        f"The runs were searched and not judged. The {score.name} is that of the best architecture found, on "
        "validation examples and with inherited weights: it says how well a supernet is trained, not how well it ranks."
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


def _values(groups: Mapping[str, Sequence[FinishedRun]]) -> dict[str, dict[int, float]]:
    """What each search found, by cell and seed."""
    first = next(iter(groups.values()))[0]
    for run in (run for group in groups.values() for run in group):
        if run.score != first.score:
            raise UsageError(
                f"{run.path} compares networks by {run.score.name} and {first.path} by {first.score.name}; such runs "
                "cannot be compared."
            )
        if run.found is None:
            raise UsageError(
                f"The search of {run.path} did not measure {first.score.name}, so there is nothing to compare."
            )
    return {name: {run.seed: run.found for run in group if run.found is not None} for name, group in groups.items()}
