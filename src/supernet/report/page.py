"""Put the page together and write it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from supernet.errors import require
from supernet.io.files import write_atomically
from supernet.report import units
from supernet.report.drawing import draw
from supernet.report.reading import read_run
from supernet.report.run_files import RunFiles
from supernet.report.sections import SECTIONS
from supernet.report.sections.header import header, name_of_run


def write_report(run_directory: Path) -> Path:
    """Write `report.html` into a run directory, from the files that the run has left there so far.

    The page is one file that loads nothing: it opens from a disk, a mail or an archive, without a network.
    A run that has only been trained yields a page about its training, and so on. A damaged file is named at the top
    of the page, which goes on without it.

    Args:
        run_directory: A directory with some of `config.json`, `environment.json`, `train.jsonl`, `space.json`,
            `search.jsonl`, `front.json` and `exports.json`.

    Returns:
        The path of the page.

    Raises:
        UsageError: the directory does not exist or holds no file of a run.
        RunError: plotly is missing, or the page cannot be written.
    """
    require("plotly", "report", "The report")
    page = render(read_run(Path(run_directory)))
    target = Path(run_directory) / "report.html"
    write_atomically(target, page.encode())
    return target


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        id: The anchor, unique on the page, and the name of its template.
        title: The heading of the part.
        menu: Short name of the part in the menu at the top of the page.
        body: The markup below the heading.
    """

    id: str
    title: str
    menu: str
    body: Markup


def sections(run: RunFiles) -> list[Section]:
    """The parts for which the run has something, in the order of the page."""
    return [
        Section(name, view["title"], menu, rendered(f"sections/{name}.html.j2", run=run, **view))
        for name, (menu, prepare) in SECTIONS.items()
        if (view := prepare(run)) is not None
    ]


def render(run: RunFiles) -> str:
    """The page as text."""
    top = rendered("sections/header.html.j2", run=run, **header(run))
    return document(name_of_run(run), top, sections(run), version=run.environment.supernet)


def document(name: str, top: Markup, parts: Sequence[Section], *, version: str | None) -> str:
    """A page: what stands at its top and its parts in one file, with the style sheet and the three scripts.

    Args:
        name: What it is about, for the title of the window.
        top: The markup of the header.
        parts: The parts, in order.
        version: The version of this package that made the run; None: it is not known.
    """
    from plotly.offline import get_plotlyjs

    scripts = [_inline(script) for script in (_asset("guard.js"), get_plotlyjs(), _asset("page.js"))]
    return rendered(
        "page.html.j2",
        name=name,
        header=top,
        sections=parts,
        version=version,
        style=Markup(_asset("style.css")),
        digests=[base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts],
        scripts=[Markup(script) for script in scripts],
    )


def rendered(template: str, **values: Any) -> Markup:
    """A template of this package, filled in; text is escaped wherever it enters."""
    return Markup(templates().get_template(template).render(**values))


@cache
def templates() -> Environment:
    """The templates of this package, and what they may call."""
    environment = Environment(
        loader=PackageLoader("supernet.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown: dict[str, Callable[..., Any]] = {
        name: getattr(units, name) for name in ("quantity", "counted", "plain", "power", "grouped")
    }
    environment.globals |= shown | {"THIN": units.THIN, "draw": draw}
    environment.filters["json"] = json.dumps
    return environment


def _asset(name: str) -> str:
    return files("supernet.report").joinpath("assets", name).read_text(encoding="utf-8")


def _inline(script: str) -> str:
    """A script as the browser will see it between its tags, whose digest the security policy names."""
    return script.replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script")
