"""Trained supernets side by side: who ranks architectures better, how sure that is, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supernet.bench.finished import FinishedRun
from supernet.bench.paired import PairedT
from supernet.errors import UsageError
from supernet.io.files import write_atomically, write_json
from supernet.rank.evidence import Estimate
from supernet.rank.measures import RHO, TAU, Measure, regret_at, tau_in_true_top, top_id

TOP_TAU, TOP_ID, REGRET = tau_in_true_top(0.2), top_id(0.05), regret_at(1)
MEASURES = (TAU, TOP_TAU, RHO, TOP_ID, REGRET)
FREE = "parameter count"
"""The ranking that costs nothing and is compared with."""
ADDED = "added_tau with parameter count"
FOUND = "found_accuracy"
"""Name of the only figure of runs that were searched and not judged."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Row:
    """The trainings of one cell.

    Attributes:
        name: The cell.
        runs: Its runs, one per seed.
        figures: By name of the measure; mean, spread and interval over architectures and trainings.
        minus_baseline: The same, minus the baseline cell, on the same architectures; empty for the baseline.
        minus_free: Kendall's τ minus that of each ranking that costs nothing.
        added: Kendall's τ of the ranks of supernet and parameter count added; None where nothing was ranked.
        paired: Test over the seeds that both cells have, from three on.
        changes: Settings in which it differs from the baseline cell, or from the first.
    """

    name: str
    runs: Sequence[FinishedRun]
    figures: Mapping[str, Estimate]
    minus_baseline: Mapping[str, Estimate]
    minus_free: Mapping[str, Estimate]
    added: Estimate | None
    paired: PairedT | None
    changes: Mapping[str, Any]

    @property
    def seeds(self) -> list[int]:
        """Seeds of the runs."""
        return [run.seed for run in self.runs]


@dataclass(frozen=True, eq=False, kw_only=True)
class RunTable:
    """Cells side by side.

    Attributes:
        rows: One per cell.
        baseline: Name of the cell the others are compared with; None: it has no run.
        measures: What was measured of the rankings; none where the runs were searched and not judged.
        free: The measures of rankings that cost nothing: parameter count, MACs, a random order.
        n: Architectures that all runs were judged on.
        best: The best true score among them.
        truth: What they were judged against.
        notes: What a reader has to know.
        failed: Runs that failed, each with the reason.
    """

    rows: Sequence[Row]
    baseline: str | None
    measures: Sequence[Measure]
    free: Mapping[str, Mapping[str, Estimate]]
    n: int
    best: float
    truth: str
    notes: Sequence[str]
    failed: Sequence[str]

    def __getitem__(self, cell: str) -> Row:
        """The row of a cell.

        Raises:
            UsageError: there is none.
        """
        for row in self.rows:
            if row.name == cell:
                return row
        raise UsageError(f"There is no cell {cell!r}; there are {', '.join(row.name for row in self.rows)}.")

    def sentences(self) -> list[str]:
        """The verdicts in words: every cell against the baseline cell and against parameter count."""
        from supernet.bench.sentences import sentences

        return sentences(self)

    def to_text(self) -> str:
        """Table, verdicts and notes for a terminal."""
        from supernet.bench.written import as_text

        return as_text(self)

    def to_json(self) -> dict[str, Any]:
        """Everything, single runs included, except the scores of the architectures."""
        from supernet.bench.written import as_json

        return as_json(self)

    def write(self, out: Path) -> None:
        """Write `comparison.md`, `comparison.csv` and `comparison.json`.

        Where there is a ranking, also `comparison.svg`; where cells differ in nothing but the length of their
        training, also `budget.svg`, Kendall's τ over it.

        Raises:
            RunError: a file cannot be written.
        """
        from supernet.bench.tau_by_cell import tau_by_cell
        from supernet.bench.tau_over_budget import tau_over_budget
        from supernet.bench.written import as_csv, as_markdown

        write_json(out / "comparison.json", self.to_json())
        write_atomically(out / "comparison.csv", as_csv(self).encode())
        if self.measures:
            write_atomically(out / "comparison.svg", tau_by_cell(self).encode())
            if lines := tau_over_budget(self):
                write_atomically(out / "budget.svg", lines.encode())
        write_atomically(out / "comparison.md", as_markdown(self).encode())
