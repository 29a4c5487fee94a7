"""`supernet bench`: methods x seeds, one table."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from supernet.errors import RunError, UsageError


def bench(
    study: Path,
    /,
    *,
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    data: str | None = None,
    table: str | None = None,
    dataset: str | None = None,
    metric: str | None = None,
    archs: int | None = None,
    seeds: str | None = None,
    only: Annotated[list[str] | None, Parameter(negative=())] = None,
    workers: int = 1,
) -> None:
    """Train and judge methods x seeds at stated budgets, and compare them in one table.

    Finished runs are kept and stopped ones go on: start the same command again.

    Args:
        study: Seeds, truth and cells, as .toml or .json (see docs/bench.md).
        out: Directory of the study. Default: runs/NAME of the study's file.
        data: Data set, directory or .npz file instead of the study's.
        table: Ground truth instead of the study's: a file, nasbench201 or nasbench201_digits.
        dataset: Which of NAS-Bench-201's data sets.
        metric: Which of NAS-Bench-201's metrics.
        archs: Architectures of the table to judge on.
        seeds: Seeds to run now, such as 0,1,2, instead of the study's.
        only: Cell to run now, instead of all; repeatable.
        workers: Runs at a time; the cores are shared among them.
    """
    from supernet.bench import Study, run_study

    given = {"table": table, "dataset": dataset, "metric": metric, "archs": archs}
    truth = {name: value for name, value in given.items() if value is not None}
    place = Path("runs") / study.stem if out is None else out
    found = run_study(
        Study.read(study, data=data, truth=truth),
        place,
        workers=workers,
        seeds=None if seeds is None else _seeds(seeds),
        only=only,
        again=shlex.join(["supernet", *sys.argv[1:]]),
        say=_say,
    )
    sys.stdout.write(f"{found.to_text()}\n\nwritten: {place / 'comparison.md'}, .csv, .json\n")
    if found.failed:
        count = "1 run" if len(found.failed) == 1 else f"{len(found.failed)} runs"
        raise RunError(f"{count} failed, see above; start the same command again to go on with what is missing.")


def _seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f"--seeds is {text!r}; give whole numbers separated by commas, such as 0,1,2.") from error


def _say(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")
    sys.stderr.flush()
