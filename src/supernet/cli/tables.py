"""Results as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from supernet.io.text import aligned

if TYPE_CHECKING:
    from supernet.io.schema import Export
    from supernet.judge import RankReport
    from supernet.quantity import Quantity
    from supernet.runs.run import Run


def exports_table(rows: Sequence[Export], scores: Sequence[Quantity]) -> str:
    """A line per file of each exported network; what is of the network stands in the first."""
    from supernet.report.units import scaled

    first, apart = scores[0].name, any(row.task for row in rows)
    asked = "score" if apart else first  # a network with one head has the score of its task alone
    lines = [("network", f"validation {asked}", f"test {asked}", "MACs", "params", "latency", "difference", "file")]
    for row in rows:
        values, verified = {name: value or 0.0 for name, value in row.values.items()}, row.verified
        score = next((score for score in scores if row.task and score.name.startswith(f"{row.task}.")), scores[0])
        name, told_as = score.name, f"{score.name} " if apart else ""
        lines.append(
            (
                row.name,
                told_as + score.brief(verified.validation.get(name)) if verified else "–",
                told_as + score.brief((verified.test or {}).get(name)) if verified else "–",
                scaled(values["macs"]),
                scaled(values["params"]),
                f"{values['latency_ms']:.2f} ms",
                f"{verified.max_difference:.0e}" if verified else "–",
                next(iter(row.files.values()), "–"),
            )
        )
        for kind, one in row.compared.items():
            if kind in row.files and row.files[kind] != next(iter(row.files.values())):
                told = told_as + score.brief(one.validation.get(name))
                lines.append(("", told, "", "", "", "", f"{one.max_difference:.0e}", row.files[kind]))
    return aligned(lines, left=(0, len(lines[0]) - 1))


def judgement_text(run: Run, found: RankReport, *, verbose: bool) -> str:
    """The verdict first, then the figures, and on request the sentences behind it."""
    place = run.place
    return "\n".join(
        [
            found.verdict(),
            "",
            found.text(),
            *(["", *found.sentences()] if verbose else []),
            "",
            f"all figures: {place / 'judge.csv'}, all scores: {place / 'ranking.csv'}",
        ]
    )
