"""`supernet report`: the page of a run."""

from __future__ import annotations

from supernet.cli.options import Searched
from supernet.cli.output import Json, Output


def report(path: Searched, /, *, as_json: Json = False) -> None:
    """Write the report page of a run, report.html in its directory.

    The page needs no network; a run that was made in Python, or stopped early, has one too.

    supernet report runs/a
    """
    from supernet.io.run_directory import RunDirectory
    from supernet.runs import report as runs_report

    output = Output(as_json)
    with RunDirectory(path).alone(output.say):
        page = runs_report.report(path)
    output.result({"run": path, "report": page}, f"report: {page}")
