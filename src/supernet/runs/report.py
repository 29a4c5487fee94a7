"""The page of a run, written anew whenever a verb adds something."""

from __future__ import annotations

from pathlib import Path

from supernet.errors import SupernetError
from supernet.report import write_report
from supernet.runs.run import Run


def report(path: Path | str) -> Path:
    """Write `report.html` into the directory of a run, or of a search; of one that was made in Python too.

    Raises:
        UsageError: the directory holds no file of a run.
        RunError: a file is damaged, the page cannot be written, or plotly is not installed (extra "report").
    """
    return write_report(Path(path))


def refresh(run: Run) -> None:
    """Write the page anew where there is one; says so if it cannot be, for the work it follows is done."""
    for directory in dict.fromkeys((run.directory.path, run.place.path)):
        if (directory / "report.html").is_file():
            try:
                report(directory)
            except SupernetError as error:
                run.say(f"warning: {directory / 'report.html'} is as it was before: {error}")
