"""`supernet compare`: judged runs side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def compare(
    *runs: Path,
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    baseline: str | None = None,
) -> None:
    """Compare runs that were judged against the same truth; those that differ only in their seed share a row.

    Args:
        runs: Run directories, or directories that hold some.
        out: Directory for comparison.md, .csv, .json and .svg. Default: nothing is written.
        baseline: Row that the others are compared with. Default: that of the first run.
    """
    from supernet.bench import compare_runs

    found = compare_runs(runs, baseline=baseline)
    sys.stdout.write(found.to_text() + "\n")
    if out is not None:
        found.write(out)
        sys.stdout.write(f"\nwritten: {out / 'comparison.md'}, .csv, .json\n")
