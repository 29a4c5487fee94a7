"""Trained supernets side by side: who ranks architectures better, how sure that is, and what it cost."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from supernet.bench import charts
from supernet.bench.finished import settings
from supernet.bench.row import ADDED, FREE, LEARNED, MEASURES, RANDOM, REGRET, TOP_ID, Row, as_json, found_of, verdict
from supernet.bench.words import duration, in_words, memory, signed, signed_interval, spread
from supernet.errors import UsageError
from supernet.io.files import write_atomically, write_json
from supernet.io.text import aligned
from supernet.judge.report_rows import MASS
from supernet.rank.evidence import Estimate
from supernet.rank.measures import TAU, Measure

_SPENT = ("steps", "forwards", "backwards", "images", "training_seconds", "judging_seconds", "training_memory_bytes")
_DASH = "–"


@dataclass(frozen=True, eq=False, kw_only=True)
class RunTable:
    """Cells side by side.

    Attributes:
        rows: One row for each cell.
        baseline: Name of the cell the others are compared with; None: it has no run.
        measures: The measures of the rankings; none where the runs were searched and not judged.
        free: The measures of rankings that cost nothing: parameter count, MACs, a random order.
        n: Number of architectures that all runs were judged on.
        best: The best true score among them, with the sign turned where less is better.
        truth: The ground truth that they were judged against, in words.
        notes: Sentences that a reader has to know.
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
        """The verdicts in words: every cell against the baseline cell, then against parameter count."""
        said = []
        if self.baseline is not None:
            said = [row.against(self[self.baseline]) for row in self.rows if row.name != self.baseline]
        for row in self.rows:
            if FREE in row.minus_free:
                how = verdict(row.minus_free[FREE], "beats", "is worse than", "does not beat")
                ours, theirs = row.figures[TAU.name], self.free[FREE][TAU.name]
                said.append(f"{row.name} {how} {FREE} (τ {ours} against {theirs}).")
        for row in self.rows:
            if "derived_rank" in row.figures:
                (true, rank), (by_chance, its_rank) = (
                    [_learned(name, figures[name]) for name in ("derived_true", "derived_rank")]
                    for figures in (row.figures, self.free[RANDOM])
                )
                among = row.figures["derived_rank"].n
                said.append(
                    f"{row.name} derives architectures of true score {true}, rank {rank} of {among:,} (expected of a "
                    f"random one: {by_chance}, rank {its_rank})."
                )
        return said

    @property
    def _columns(self) -> list[str]:
        """The figures of `LEARNED` that some cell has."""
        return [name for name in LEARNED if name in self.free.get(RANDOM, {})]

    def lengths(self) -> dict[str, list[tuple[int, Row]]]:
        """Backwards and rows of cells that differ in the length of training alone, by the shortest name.

        A cell is in none that has no neighbour of another length, or whose log does not count backwards.
        """
        alike: dict[str, list[tuple[int, Row]]] = {}
        for row in self.rows:
            backwards = row.runs[0].spent.backwards
            if backwards and row.figures[self.measures[0].name].defined:
                rest = {name: value for name, value in settings(row.runs[0].config).items() if name != "train.steps"}
                alike.setdefault(json.dumps(rest, sort_keys=True), []).append((round(backwards), row))
        lines = [sorted(line, key=lambda cell: cell[0]) for line in alike.values()]
        lines = [line for line in lines if line[0][0] < line[-1][0]]
        return {min((row.name for _, row in line), key=len): line for line in lines}

    def to_text(self) -> str:
        """Table, verdicts and notes for a terminal."""
        head, *lines = aligned(self._cells()).splitlines()
        changes = [
            f"{row.name}, beside {self._reference}: {in_words(row.changes)}." for row in self.rows if row.changes
        ]
        rule = "-" * max(map(len, (head, *lines)))
        said = [*self.sentences(), *self._legend(), *changes, *self.notes, *self.failed]
        return "\n".join([head, rule, *lines, "", *said])

    def to_markdown(self, drawings: Sequence[str] = ()) -> str:
        """A page with table, verdicts, the settings that differ, and notes.

        Args:
            drawings: Names of files to show.
        """
        head, *lines = self._cells()
        page = ["# Comparison", "", _line(head), _line(["---", *("---:" for _ in head[1:])]), *map(_line, lines), ""]
        for name in drawings:
            page += [f"![{_SHOWS[name]}]({name})", ""]
        page += [f"- {sentence}" for sentence in self.sentences()]
        page += ["", *(line for sentence in self._legend() for line in (sentence, ""))]
        page += [_line(["cell", f"settings, beside those of {self._reference}", "seeds"]), _line(["---"] * 3)]
        page += [_line([row.name, in_words(row.changes), ", ".join(map(str, row.seeds))]) for row in self.rows]
        page += ["", *(f"- {remark}" for remark in [*self.notes, *self.failed])]
        return "\n".join(page).rstrip() + "\n"

    def to_csv(self) -> str:
        """A line per cell and per ranking that costs nothing; every figure unrounded."""
        names = [measure.name for measure in self.measures] or [found_of(self.rows[0].runs[0].score)]
        lines: list[dict[str, Any]] = []
        for row in self.rows:
            line: dict[str, Any] = {"row": row.name, "kind": "cell", "seeds": " ".join(map(str, row.seeds))}
            for name in names:
                line |= _figure(name, row.figures[name])
                if self.measures:
                    minus = row.minus_baseline.get(name)
                    line |= _figure(f"{name} minus baseline", minus, parts=("", " low", " high"))
            if self.measures:
                line |= _figure(ADDED, row.added)
            for name in self._columns:
                line |= _figure(name, row.figures.get(name), parts=("", " std"))
            line["paired t p"] = None if row.paired is None else row.paired.p_value
            lines.append(line | {name: row.mean(name) for name in _SPENT})
        columns = list(lines[0])
        for free, figures in self.free.items():
            found = [_figure(name, figures[name]) for name in names]
            found += [_figure(name, figures.get(name), parts=("",)) for name in self._columns]
            lines.append({"row": free, "kind": "free"} | {key: value for part in found for key, value in part.items()})
        return _csv(columns, lines)

    def runs_csv(self) -> str:
        """A line per cell and seed with every figure that a single run has, unrounded; empty where there is none."""
        lines: list[dict[str, Any]] = []
        for row in self.rows:
            # A figure that is undefined for one run is so for its cell.
            each = {name: estimate.trainings for name, estimate in row.figures.items() if estimate.trainings}
            for place, run in enumerate(row.runs):
                line: dict[str, Any] = {"cell": row.name, "seed": run.seed, "path": str(run.path)}
                line |= {name: values[place] for name, values in each.items()}
                lines.append(line | asdict(run.spent))
        columns = dict.fromkeys(name for line in lines for name in line)
        spent = [name for name in columns if name in asdict(self.rows[0].runs[0].spent)]
        figures = [name for name in columns if name not in spent]
        return _csv([*figures, *spent], lines)

    def to_json(self) -> dict[str, Any]:
        """Everything, single runs included, except the scores of the architectures."""
        return {
            "baseline": self.baseline,
            "truth": self.truth,
            "n": self.n,
            "best": self._known_best if self.measures else None,
            "measures": [
                {"name": measure.name, "label": measure.label, "higher_is_better": measure.higher_is_better}
                for measure in self.measures
            ],
            "cells": [row.to_json() for row in self.rows],
            "free": {name: as_json(figures) for name, figures in self.free.items()},
            "sentences": self.sentences(),
            "notes": list(self.notes),
            "failed": list(self.failed),
        }

    def write(self, out: Path) -> list[str]:
        """Write `comparison.md`, `comparison.csv`, `runs.csv` and `comparison.json`.

        Where there is a ranking and matplotlib is installed, also `comparison.svg`; where cells differ in nothing but
        the length of their training, `budget.svg`, Kendall's τ over it.

        Returns:
            The names of the files.

        Raises:
            RunError: a file cannot be written.
        """
        write_json(out / "comparison.json", self.to_json())
        write_atomically(out / "comparison.csv", self.to_csv().encode())
        write_atomically(out / "runs.csv", self.runs_csv().encode())
        drawings = self._drawings()
        for name, drawn in drawings.items():
            write_atomically(out / name, drawn())
        write_atomically(out / "comparison.md", self.to_markdown(tuple(drawings)).encode())
        return ["comparison.md", "comparison.csv", "runs.csv", "comparison.json", *drawings]

    def _drawings(self) -> dict[str, Callable[[], bytes]]:
        if not self.measures or importlib.util.find_spec("matplotlib") is None:
            return {}
        tau = self.measures[0].name
        free = {name: figures[tau] for name, figures in self.free.items()}
        cells = {row.name: row.figures[tau] for row in self.rows if row.figures[tau].defined}
        lines = {
            name: [(backwards, row.figures[tau]) for backwards, row in line] for name, line in self.lengths().items()
        }
        drawings = {"comparison.svg": lambda: charts.svg(charts.tau_by_cell(cells, free))}
        if lines:
            drawings["budget.svg"] = lambda: charts.svg(charts.tau_over_budget(lines, free))
        return drawings

    def _cells(self) -> list[list[str]]:
        """The table as text, head first."""
        compared = self.baseline is not None and len(self.rows) > 1 and bool(self.measures)
        titles = [MEASURES[measure] for measure in self.measures] or [f"best {self.rows[0].runs[0].score.name}"]
        if compared:
            titles.insert(1, f"Δτ to {self.baseline}")
        if self.measures:
            titles.append("τ + params")
        titles += [LEARNED[name] for name in self._columns]
        lines = [["cell", "seeds", *titles, "steps", "backwards", "training", "memory"]]
        for row in self.rows:
            figures = [self._shown(measure, row.figures[measure.name]) for measure in self.measures]
            if self.measures:
                figures.append(_DASH if row.added is None else self._shown(TAU, row.added))
            else:
                figures = [spread(row.figures[found_of(row.runs[0].score)].trainings, 3)]
            if compared:
                figures.insert(1, signed_interval(row.minus_baseline[TAU.name]) if row.minus_baseline else _DASH)
            figures += [_learned(name, row.figures.get(name)) for name in self._columns]
            lines.append([row.name, str(len(row.runs)), *figures, *_spent(row)])
        for name, free in self.free.items():
            figures = [self._shown(measure, free[measure.name]) for measure in self.measures]
            if compared:
                figures.insert(1, _DASH)
            ranked = [*figures, _DASH]  # no ranks are added to these
            ranked += [_learned(name, free.get(name)) for name in self._columns]
            lines.append([name, _DASH, *ranked, *[_DASH] * 4])
        return lines

    def _shown(self, measure: Measure, estimate: Estimate) -> str:
        """Mean ± standard deviation; of the favourite its true score instead of what it lacks."""
        if measure is REGRET:
            sign = self.rows[0].runs[0].metric.sign
            return spread([sign * (self.best - lost) for lost in estimate.trainings], 4)
        if measure is TOP_ID:
            return spread([100 * share for share in estimate.trainings], 2) + " %" * estimate.defined
        deviation = "" if estimate.std is None else f" ± {estimate.std:.2f}"
        return signed(estimate.value).removeprefix("+") + deviation

    def _legend(self) -> list[str]:
        if not self.measures:
            return []
        turned = self.rows[0].runs[0].metric.goal == "min"
        truth = self.truth.removeprefix("Truth(").removesuffix(")") or "unknown"
        return [
            f"Mean ± standard deviation over seeds, on {self.n} architectures. Truth: {truth}.",
            f"Favourite: true score of the architecture ranked first; the best there is has {self._known_best:.4g}. "
            f"{'Less is better. ' if turned else ''}"
            "Brackets: 95 % intervals over architectures and trainings, each by itself.",
            "τ + params: of the ranks of supernet and parameter count added.",
            *(_LEGEND[name] for name in self._columns if name in _LEGEND),
        ]

    @property
    def _known_best(self) -> float:
        """The best true score, as people know it."""
        return self.rows[0].runs[0].metric.sign * self.best

    @property
    def _reference(self) -> str:
        return self.baseline or self.rows[0].name


_LEGEND = {
    MASS: "Top-5 % drawn: probability with which the architecture weights draw one of the truly best 5 %.",
    "derived_true": "Derived: true score, rank among the truths and regret of the architecture that the method itself "
    f"derived; for the {RANDOM}, what is expected of a random architecture.",
}
_SHOWS = {
    "comparison.svg": "Kendall τ by cell, one dot per seed",
    "budget.svg": "Kendall τ over the length of the training",
}


def _learned(name: str, estimate: Estimate | None) -> str:
    """A figure of `LEARNED` as mean ± standard deviation; a dash where there is none."""
    if estimate is None:
        return _DASH
    values = estimate.trainings
    digits = {"derived_true": 4, "derived_rank": max(1, len(f"{max(values):.0f}"))}
    return spread(values, digits.get(name, 3))


def _csv(columns: Sequence[str], lines: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _spent(row: Row) -> list[str]:
    """Steps, backwards, time, memory. Steps and backwards are those of the first run; the rest is mean and largest."""
    backwards, seconds = row.runs[0].spent.backwards, row.mean("training_seconds")
    memories = [run.spent.training_memory_bytes for run in row.runs if run.spent.training_memory_bytes is not None]
    return [
        f"{row.runs[0].spent.steps:,}",
        _DASH if backwards is None else f"{backwards:,.0f}",
        _DASH if seconds is None else duration(seconds),
        memory(max(memories)) if memories else _DASH,
    ]


def _figure(
    name: str, estimate: Estimate | None, *, parts: Sequence[str] = ("", " std", " low", " high")
) -> dict[str, Any]:
    """The columns of a figure; empty where there is none, or where it is undefined."""
    known: dict[str, Any] = {} if estimate is None else estimate.to_json()
    return {f"{name}{part}": known.get(part.strip() or "value") for part in parts}


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
