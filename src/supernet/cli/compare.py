"""`supernet compare`: judged runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from supernet.cli.output import Json, Output


def compare(
    *runs: Annotated[Path, Parameter(help="Directories of runs, or directories that hold some.")],
    out: Annotated[
        Path | None,
        Parameter(
            name=("--out", "-o"),
            help="Directory for comparison.md, .csv, .json and .svg. By default nothing is written.",
        ),
    ] = None,
    baseline: Annotated[
        str | None, Parameter(help="Row that the others are compared with. By default that of the first run.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare runs that were judged against the same truth; those that differ only in their seed share a row.

    Differences come with intervals, so that luck with a seed is not taken for a better method.

    supernet compare runs/a runs/b --out runs/comparison
    """
    from supernet.bench import compare_runs

    found = compare_runs(runs, baseline=baseline)
    written = ""
    if out is not None:
        found.write(out)
        written = f"\n\nwritten: {out / 'comparison.md'}, .csv, .json"
    Output(as_json).result(found.to_json(), found.to_text() + written)
