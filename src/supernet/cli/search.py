"""`supernet search`: a trained supernet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from supernet.cli.asked import asked
from supernet.cli.fields import NOTHING
from supernet.cli.opening import opened
from supernet.cli.options import (
    RUN,
    AdoptOptions,
    Existing,
    Overwrite,
    Resume,
    SearchAloneOptions,
    TableOptions,
    Workers,
)
from supernet.cli.output import Json, Output, points
from supernet.errors import UsageError

if TYPE_CHECKING:
    from supernet.runs.run import Run


def search(
    path: Existing,
    /,
    *,
    out: Annotated[
        Path | None,
        Parameter(
            name=("--out", "-o"),
            group=RUN,
            help="Directory of its own for this search, so that one training serves several. What is not given, bounds "
            "included, is as in the search of the run itself.",
        ),
    ] = None,
    searching: SearchAloneOptions = NOTHING,
    truth: TableOptions = NOTHING,
    built: AdoptOptions = NOTHING,
    resume: Resume = False,
    overwrite: Overwrite = False,
    workers: Workers = 1,
    as_json: Json = False,
) -> None:
    """Search a trained supernet for architectures.

    A run that was made in Python is told how its network is built with --space, --method and --data.

        supernet search runs/a --budget 500 --objectives accuracy,latency_ms --max latency_ms=3

        supernet search runs/a --out runs/a-small --seed 1 -R population=30 --max params=20e3

        supernet search runs/a --workers 4

        supernet search runs/a --resume
    """
    from supernet.io.run_directory import RunDirectory
    from supernet.runs import search as runs_search
    from supernet.runs.run import Run as AnyRun
    from supernet.workers import workers_of

    output = Output(as_json)
    with RunDirectory(path if out is None else out).alone(output.say):
        job = opened(path, output, built)
        if out is not None:
            known = resume and _has_begun(out)
            job = _same(job, AnyRun.open(out, output.say), out) if known else job.into(out)
        if resume and not _has_begun(job.place.path):
            raise UsageError(f"{job.place.path} holds no search to resume; leave --resume out to begin one.")
        settings = asked(job.config, search=searching, judge=truth)
        job = job.asking(search=settings.search, judge=settings.judge)
        front = runs_search.search(job, resume=resume, overwrite=overwrite, workers=workers_of(workers))
    output.result({"run": path, "directory": job.place.path, **front.to_json()}, points(p.values for p in front.points))


def _has_begun(place: Path) -> bool:
    """Whether there is a search, if only its settings: it may have been killed before its first result."""
    return any((place / name).is_file() for name in ("searching.json", "search.jsonl"))


def _same(job: Run, kept: Run, out: Path) -> Run:
    """The search on record, if it is one of this training."""
    if kept.directory.path.resolve() != job.directory.path.resolve():
        raise UsageError(
            f"{out} holds a search of {kept.directory.path}, not of {job.directory.path}. Give that run, or choose "
            "another directory with --out."
        )
    return kept
