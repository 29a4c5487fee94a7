"""A rank report as rows, as CSV and as lines for a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from supernet.judge import derived as derivations
from supernet.judge import words
from supernet.rank.checks import share_to_k

if TYPE_CHECKING:
    from supernet.judge.report import RankReport

COLUMNS = (
    *("measure", "ranking", "value", "low", "high", "p_value", "std", "trainings", "n"),
    *("difference", "difference_low", "difference_high", "verdict", "reason"),
)

MASS = "sampling_mass@0.05"
"""Name of the sampling mass of the true top 5 % among the rows."""


def rows(report: RankReport) -> list[dict[str, Any]]:
    """One row per measure and ranking, with the keys `COLUMNS`; what does not apply is None."""
    found = [row for comparison in report.comparisons for row in comparison.rows()]
    for name, estimate in report.partial.items():
        values = {key: value for key, value in estimate.to_json().items() if key in COLUMNS}
        found.append(
            {"measure": f"partial_tau given {name}", "ranking": "supernet"}
            | values
            | {"trainings": len(estimate.trainings)}
        )
    for name, comparison in report.combined.items():
        ours, _, theirs = comparison.rows()
        gain = {key: value for key, value in theirs.items() if key.startswith(("difference", "verdict"))}
        found.append(ours | gain | {"measure": f"added_tau with {name}"})
    found += _mass_rows(report)
    return [{column: row.get(column) for column in COLUMNS} for row in found]


def rows_csv(report: RankReport) -> str:
    """`rows()`, and those of the derived architecture, as CSV text with a header line."""
    written = io.StringIO()
    writer = csv.DictWriter(written, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(report))
    writer.writerows([] if report.derived is None else derivations.rows(report.derived))
    return written.getvalue()


def scores_csv(report: RankReport) -> str:
    """The scores themselves as CSV text: `arch` (where known), `true`, one column per training and baseline.

    They are as people know them: where less of `metric` or `score` is better, it is so in this text.
    """
    columns: dict[str, Sequence[Any]] = {"true": (report.metric.sign * report.true).tolist()}
    if report.archs:
        columns = {"arch": [str(arch) for arch in report.archs]} | columns
    known = report.score.sign * report.predicted
    columns |= {f"supernet {seed}": row.tolist() for seed, row in zip(report.seeds, known, strict=True)}
    columns |= {name: values.tolist() for name, values in report.baselines.items()}
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return written.getvalue()


def text(report: RankReport) -> str:
    """The main measures of the supernet beside a random order and the baselines, as aligned lines.

    The sampling mass of the architecture weights and the derived architecture follow, where there are any.
    """
    found = [words.table(report.comparisons)]
    if mass := _mass_rows(report):
        ours, uniform = (f"{row['value']:.3f}" for row in mass)
        found.append(f"the architecture weights draw the true top 5 % with probability {ours} (uniformly: {uniform})")
    if report.derived is not None:
        found.append(derivations.table(report.derived))
    elif "derived" in report.omitted:
        found.append(f"derived architecture: {report.omitted['derived']}")
    return "\n\n".join(found)


def _mass_rows(report: RankReport) -> list[dict[str, Any]]:
    """The sampling mass of the true top 5 %, and that of drawing uniformly."""
    if report.mass is None:
        return []
    k = share_to_k(0.05, report.mass.n)
    values = {"supernet": report.mass.lines[0].values[k - 1], "random order": k / report.mass.n}
    return [
        {"measure": MASS, "ranking": name, "value": float(value), "n": report.mass.n} for name, value in values.items()
    ]
