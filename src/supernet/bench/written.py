"""The table as text, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from supernet.bench.grouping import in_words, settings
from supernet.bench.run_table import ADDED, FOUND, REGRET, TOP_ID, TOP_TAU, Row, RunTable
from supernet.bench.sentences import signed, signed_interval
from supernet.bench.tau_over_budget import lengths
from supernet.bench.units import gibibytes, minutes, spread, thousands
from supernet.rank.evidence import Estimate
from supernet.rank.measures import RHO, TAU, Measure

_TITLES = {TAU: "τ", TOP_TAU: "τ in top 20 %", RHO: "ρ", TOP_ID: "top-5 % ID", REGRET: "favourite"}
_DASH = "–"


def as_text(table: RunTable) -> str:
    """Aligned columns, then verdicts and notes."""
    lines = _cells(table)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = []
    for line in lines:
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        text.append("  ".join(cells).rstrip())
    text.insert(1, "-" * max(map(len, text)))
    changes = [f"{row.name}, beside {_reference(table)}: {in_words(row.changes)}." for row in table.rows if row.changes]
    return "\n".join([*text, "", *table.sentences(), *_legend(table), *changes, *_remarks(table)])


def as_markdown(table: RunTable) -> str:
    """A page with table, verdicts, the settings that differ, and notes."""
    head, *lines = _cells(table)
    page = ["# Comparison", "", _row(head), _row(["---", *("---:" for _ in head[1:])]), *map(_row, lines), ""]
    if table.measures:
        page += ["![Kendall τ by cell, one dot per seed](comparison.svg)", ""]
        if lengths(table):
            page += ["![Kendall τ over the length of the training](budget.svg)", ""]
    page += [f"- {sentence}" for sentence in table.sentences()]
    page += ["", *(line for sentence in _legend(table) for line in (sentence, ""))]
    page += [_row(["cell", f"settings, beside those of {_reference(table)}", "seeds"]), _row(["---"] * 3)]
    for row in table.rows:
        page.append(_row([row.name, in_words(row.changes), ", ".join(map(str, row.seeds))]))
    page += ["", *(f"- {remark}" for remark in _remarks(table))]
    return "\n".join(page).rstrip() + "\n"


def as_csv(table: RunTable) -> str:
    """A line per cell and per ranking that costs nothing; every figure unrounded."""
    names = [measure.name for measure in table.measures] or [FOUND]
    columns = ["row", "kind", "seeds"]
    for name in names:
        columns += [name, *(f"{name} {what}" for what in ("std", "low", "high"))]
        if table.measures:
            columns += [f"{name} minus baseline", f"{name} minus baseline low", f"{name} minus baseline high"]
    if table.measures:
        columns += [ADDED, *(f"{ADDED} {what}" for what in ("std", "low", "high"))]
    columns += ["paired t p", *_BUDGET]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
    writer.writeheader()
    for row in table.rows:
        line: dict[str, Any] = {"row": row.name, "kind": "cell", "seeds": " ".join(map(str, row.seeds))}
        line |= {key: value for name in names for key, value in _figure(name, row.figures[name]).items()}
        for name, estimate in row.minus_baseline.items():
            line[f"{name} minus baseline"] = estimate.value
            line[f"{name} minus baseline low"], line[f"{name} minus baseline high"] = estimate.low, estimate.high
        line |= {} if row.added is None else _figure(ADDED, row.added)
        line["paired t p"] = None if row.paired is None else row.paired.p_value
        writer.writerow(line | {name: _mean(row, name) for name in _BUDGET})
    for free, figures in table.free.items():
        line = {"row": free, "kind": "free"}
        writer.writerow(line | {k: value for name in names for k, value in _figure(name, figures[name]).items()})
    return text.getvalue()


def as_json(table: RunTable) -> dict[str, Any]:
    """Everything except the scores of the architectures."""
    return {
        "baseline": table.baseline,
        "truth": table.truth,
        "n": table.n,
        "best": table.best if table.measures else None,
        "measures": [
            {"name": measure.name, "label": measure.label, "higher_is_better": measure.higher_is_better}
            for measure in table.measures
        ],
        "cells": [_cell_json(row) for row in table.rows],
        "free": {name: _estimates_json(figures) for name, figures in table.free.items()},
        "sentences": table.sentences(),
        "notes": list(table.notes),
        "failed": list(table.failed),
    }


_BUDGET = ("steps", "forwards", "backwards", "images", "training_seconds", "judging_seconds", "training_memory_bytes")


def _cell_json(row: Row) -> dict[str, Any]:
    """A cell; the figures of a single run are in the order of `trainings`."""
    return {
        "name": row.name,
        "settings": settings(row.runs[0].config),
        "changes": dict(row.changes),
        "figures": _estimates_json(row.figures),
        "minus_baseline": _estimates_json(row.minus_baseline),
        "minus_free": _estimates_json(row.minus_free),
        "added": None if row.added is None else row.added.to_json(),
        "paired_t": None if row.paired is None else row.paired.to_json(),
        "runs": [
            {
                "path": str(run.path),
                "seed": run.seed,
                "figures": {name: estimate.trainings[place] for name, estimate in row.figures.items()},
                "budget": run.budget.to_json(),
            }
            for place, run in enumerate(row.runs)
        ],
    }


def _estimates_json(figures: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: estimate.to_json() for name, estimate in figures.items()}


def _cells(table: RunTable) -> list[list[str]]:
    """The table as text, head first."""
    compared = table.baseline is not None and len(table.rows) > 1 and bool(table.measures)
    measured = [_TITLES[measure] for measure in table.measures] or ["best accuracy"]
    if compared:
        measured.insert(1, f"Δτ to {table.baseline}")
    if table.measures:
        measured.append("τ + params")
    lines = [["cell", "seeds", *measured, "steps", "backwards", "training", "memory"]]
    for row in table.rows:
        figures = [_shown(measure, row.figures[measure.name], table) for measure in table.measures]
        if not table.measures:
            figures = [spread(row.figures[FOUND].trainings, 3)]
        else:
            figures.append(_DASH if row.added is None else _shown(TAU, row.added, table))
        if compared:
            figures.insert(1, signed_interval(row.minus_baseline[TAU.name]) if row.minus_baseline else _DASH)
        lines.append([row.name, str(len(row.runs)), *figures, *_spent(row)])
    for name, free in table.free.items():
        figures = [_shown(measure, free[measure.name], table) for measure in table.measures]
        figures += [_DASH] * bool(table.measures)
        if compared:
            figures.insert(1, _DASH)
        lines.append([name, _DASH, *figures, *[_DASH] * 4])
    return lines


def _shown(measure: Measure, estimate: Estimate, table: RunTable) -> str:
    """Mean ± standard deviation; of the favourite its true score instead of what it lacks."""
    if measure is REGRET:
        return spread([table.best - lost for lost in estimate.trainings], 4)
    if measure is TOP_ID:
        return spread([100 * share for share in estimate.trainings], 2) + " %"
    deviation = "" if estimate.std is None else f" ± {estimate.std:.2f}"
    return signed(estimate.value).removeprefix("+") + deviation


def _spent(row: Row) -> list[str]:
    """Steps, backwards, minutes, memory. Steps and backwards of one cell are equal; the rest is mean and largest."""
    backwards, seconds = row.runs[0].budget.backwards, _mean(row, "training_seconds")
    memory = [run.budget.training_memory_bytes for run in row.runs if run.budget.training_memory_bytes is not None]
    return [
        thousands(row.runs[0].budget.steps),
        _DASH if backwards is None else thousands(round(backwards)),
        _DASH if seconds is None else minutes(seconds),
        gibibytes(max(memory)) if memory else _DASH,
    ]


def _mean(row: Row, name: str) -> float | None:
    values = [value for run in row.runs if (value := getattr(run.budget, name)) is not None]
    return sum(values) / len(values) if len(values) == len(row.runs) else None


def _figure(name: str, estimate: Estimate) -> dict[str, Any]:
    return {
        name: estimate.value,
        f"{name} std": estimate.std,
        f"{name} low": estimate.low,
        f"{name} high": estimate.high,
    }


def _legend(table: RunTable) -> list[str]:
    if not table.measures:
        return []
    return [
        f"Mean ± standard deviation over seeds, on {table.n} architectures. Truth: {_plain_truth(table)}.",
        f"Favourite: true score of the architecture ranked first; the best there is has {table.best:.4g}. "
        "Brackets: 95 % intervals over architectures and trainings, each by itself.",
        "τ + params: of the ranks of supernet and parameter count added.",
    ]


def _plain_truth(table: RunTable) -> str:
    return table.truth.removeprefix("Truth(").removesuffix(")") or "unknown"


def _remarks(table: RunTable) -> list[str]:
    return [*table.notes, *table.failed]


def _reference(table: RunTable) -> str:
    return table.baseline or table.rows[0].name


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
