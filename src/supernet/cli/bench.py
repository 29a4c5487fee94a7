"""`supernet bench`: methods x seeds, one table."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from supernet.cli.fields import NOTHING, WORKERS, listed
from supernet.cli.options import RUN, StudyOptions
from supernet.cli.output import Json, Output
from supernet.errors import RunError
from supernet.io.section import Seed

_STUDY = Group("Study", sort_key=1)


def bench(
    study: Annotated[Path, Parameter(help="File of seeds, truth and cells, .toml or .json (docs/bench.md).")],
    /,
    *,
    out: Annotated[
        Path | None,
        Parameter(
            name=("--out", "-o"), group=RUN, help="Directory of the study. By default runs/ and the file's name."
        ),
    ] = None,
    data: Annotated[
        str | None,
        Parameter(group=_STUDY, help="Data set, directory of images or .npz file, in place of the study's."),
    ] = None,
    truth: StudyOptions = NOTHING,
    seeds: Annotated[
        list[int] | None,
        listed(Seed),
        Parameter(group=_STUDY, help="Seeds to run now in place of the study's, separated by commas, such as 0,1,2."),
    ] = None,
    only: Annotated[
        list[str] | None, Parameter(negative=(), group=_STUDY, help="Cell to run now, in place of all. Repeatable.")
    ] = None,
    workers: Annotated[
        int | str,
        WORKERS,
        Parameter(
            group=RUN,
            help="Number of runs at a time, among which the cores are shared; or `ray`, `ray:8`, `ray://host:port`, "
            "`ray://host:port/8` for those of a Ray cluster whose machines share the directory.",
        ),
    ] = 1,
    as_json: Json = False,
) -> None:
    """Train and judge methods x seeds at stated budgets, and compare them in one table.

    Finished runs are kept and stopped ones go on: start the same command again.

        supernet bench study.toml --workers 4

        supernet bench study.toml --only fairnas --seeds 3,4
    """
    from supernet.bench import Study, run_study

    output = Output(as_json)
    place = Path("runs") / study.stem if out is None else out
    found = run_study(
        Study.read(study, data=data, truth=truth),
        place,
        workers=workers,
        seeds=seeds,
        only=only,
        again=shlex.join(["supernet", *sys.argv[1:]]),
        say=_say,
    )
    output.result(found.to_json(), f"{found.to_text()}\n\nwritten: {place / 'comparison.md'}, .csv, .json")
    if found.failed:
        count = "1 run" if len(found.failed) == 1 else f"{len(found.failed)} runs"
        raise RunError(f"{count} failed, see above; start the same command again to go on with what is missing.")


def _say(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")
    sys.stderr.flush()
