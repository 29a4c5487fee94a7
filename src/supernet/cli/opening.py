"""The run that a command is about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from supernet.cli.asked import asked, named
from supernet.cli.fields import NOTHING, Given
from supernet.cli.output import Output
from supernet.io.config import Config

if TYPE_CHECKING:
    from supernet.runs.run import Run


def opened(path: Path, output: Output, built: Given = NOTHING) -> Run:
    """The run in a directory; `built` says how to build one that was made in Python.

    Raises:
        UsageError: as `Run.open`.
        RunError: as `Run.open`.
    """
    from supernet.runs.run import Run

    return Run.open(
        path,
        output.say,
        space=named(built, "space"),
        method=named(built, "method"),
        data=named(built, "data"),
    )


def begun(file: Path | None, out: Path, *, resume: bool, **given: Given) -> Config:
    """The configuration that is asked for: of a file, of the run that is resumed, or the default, with these options.

    Raises:
        UsageError: the file is no configuration, or options exclude each other.
        RunError: the run that is resumed is damaged.
    """
    from supernet.io.run_directory import RunDirectory
    from supernet.runs.run import Run

    if file is not None:
        return asked(Config.read(file), **given)
    return asked(Run.open(out).config if resume and RunDirectory(out).is_run else Config(), **given)
