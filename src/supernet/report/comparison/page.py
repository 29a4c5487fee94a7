"""Put the page of a comparison together and write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from supernet._version import __version__
from supernet.errors import UsageError, require
from supernet.io.files import write_atomically
from supernet.report.comparison.beginning import beginning
from supernet.report.comparison.fronts import fronts
from supernet.report.comparison.members import Member, read_members
from supernet.report.comparison.networks import networks
from supernet.report.comparison.settings import settings
from supernet.report.comparison.table import table
from supernet.report.comparison.trainings import trainings
from supernet.report.page import Section, document, rendered

PARTS: Mapping[str, tuple[str, Callable[[Sequence[Member], Path], dict[str, Any] | None]]] = {
    "table": ("Runs", table),
    "fronts": ("Fronts", lambda members, _: fronts(members)),
    "trainings": ("Training", lambda members, _: trainings(members)),
    "networks": ("Networks", lambda members, _: networks(members)),
    "settings": ("Settings", lambda members, _: settings(members)),
}
"""By anchor and template: the short name in the menu, and what prepares the part for a page in a folder."""


def write_comparison(runs: Sequence[Path | str], out: Path | str) -> Path:
    """Write one page about several runs: their figures, fronts, trainings, networks, and in what their settings differ.

    Runs of different spaces, data or tasks stand beside each other where that says something, and the page says where
    it does not. A damaged file costs its part of its own run alone, and is named at the top.

    Args:
        runs: Run directories, directories of searches, or directories that hold some.
        out: The page, a file whose name ends in `.html`.

    Returns:
        The path of the page.

    Raises:
        UsageError: fewer than two runs, one that is given twice, a directory that holds none, or a page by another
            name.
        RunError: plotly is missing, or the page cannot be written.
    """
    target = Path(out)
    if target.suffix != ".html":
        raise UsageError(f"The page was to be {target}; give a file whose name ends in .html.")
    if target.is_dir():
        raise UsageError(f"{target} is a directory; give the name of a file for the page.")
    require("plotly", "report", "The report")
    page = render(read_members([Path(run) for run in runs]), target.parent)
    write_atomically(target, page.encode())
    return target


def sections(members: Sequence[Member], folder: Path) -> list[Section]:
    """The parts for which the runs have something, in the order of the page."""
    return [
        Section(name, view["title"], menu, rendered(f"comparison/{name}.html.j2", members=members, **view))
        for name, (menu, prepare) in PARTS.items()
        if (view := prepare(members, folder)) is not None
    ]


def render(members: Sequence[Member], folder: Path) -> str:
    """The page as text; links of it are relative to a folder."""
    told = beginning(members)
    top = rendered("comparison/beginning.html.j2", members=members, **told)
    return document(told["name"], top, sections(members, folder), version=__version__)
