"""`supernet report`: the page of a run, or of several beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from supernet.cli.output import Json, Output
from supernet.errors import UsageError

_ALONE = "Directories of runs, of searches in directories of their own, or that hold some."


def report(
    *paths: Annotated[Path, Parameter(help=_ALONE)],
    out: Annotated[
        Path | None,
        Parameter(
            name=("--out", "-o"), help="The page about several runs, a file. That of one run is in its directory."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the report page of a run, report.html in its directory; or one page about several runs.

    The page needs no network; a run that was made in Python, or stopped early, has one too. With --out it compares:
    figures, fronts, training curves, networks and what differs in the settings.

    supernet report runs/a

    supernet report runs/a runs/b --out comparison.html
    """
    from supernet.io.run_directory import RunDirectory
    from supernet.report import write_comparison
    from supernet.runs import report as runs_report

    output = Output(as_json)
    if not paths:
        raise UsageError("There is nothing to report on; give the directory of a run, or several with --out.")
    if out is not None:
        page = write_comparison(paths, out)
        output.result({"runs": paths, "report": page}, f"report: {page}")
        return
    if len(paths) > 1:
        raise UsageError(
            f"A page about {len(paths)} runs belongs to none of them; say where it goes with --out comparison.html."
        )
    with RunDirectory(paths[0]).alone(output.say):
        page = runs_report.report(paths[0])
    output.result({"run": paths[0], "report": page}, f"report: {page}")
