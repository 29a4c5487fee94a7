"""Put the page together and write it."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from supernet.errors import require
from supernet.io.files import write_atomically
from supernet.report.header import header, name_of_run
from supernet.report.html import Html, tag
from supernet.report.run import RunFiles, read_run
from supernet.report.section import Section
from supernet.report.sections import SECTIONS


def write_report(run_directory: Path) -> Path:
    """Write ``report.html`` into a run directory, from the files that the run has left there so far.

    The page is one file that loads nothing: it opens from a disk, a mail or an archive, without a network.
    A run that has only been trained yields a page about its training, and so on.

    Args:
        run_directory: a directory with some of ``config.json``, ``environment.json``, ``train.jsonl``,
            ``space.json``, ``search.jsonl``, ``front.json`` and ``exports.json``.

    Returns:
        The path of the page.

    Raises:
        UsageError: the directory does not exist or holds no file of a run.
        RunError: a file is damaged (names the file and the place), plotly is missing, or the page cannot be written.
    """
    require("plotly", "report", "The report")
    page = render(read_run(Path(run_directory)))
    target = Path(run_directory) / "report.html"
    write_atomically(target, page.encode())
    return target


def render(run: RunFiles) -> str:
    """The page as text."""
    from plotly.offline import get_plotlyjs

    sections = [section for make in SECTIONS if (section := make(run)) is not None]
    scripts = [_asset("guard.js"), get_plotlyjs(), _asset("page.js")]
    guard, plotly, own = (tag("script", None, Html(_inline(script))) for script in scripts)
    sources = " ".join(f"'sha256-{_digest(_inline(script))}'" for script in scripts)
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src {sources}"
    head = tag(
        "head",
        None,
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark">'),
        tag("title", None, f"{name_of_run(run)} · supernet report"),
        tag("style", None, Html(_asset("style.css"))),
        guard,
    )
    menu = tag("nav", {"aria-label": "Sections"}, *(tag("a", {"href": f"#{s.id}"}, s.menu) for s in sections))
    main = tag("main", None, *(_section(section) for section in sections))
    problem = tag("p", {"id": "problem", "role": "alert", "hidden": ""})
    body = tag("body", None, problem, header(run), menu, main, _footer(run), plotly, own)
    return "<!doctype html>\n" + tag("html", {"lang": "en"}, head, body) + "\n"


def _section(section: Section) -> Html:
    return tag("section", {"id": section.id}, tag("h2", None, section.title), section.body)


def _footer(run: RunFiles) -> Html:
    version = run.environment.get("supernet")
    written = f"Written by supernet {version}" if isinstance(version, str) else "Written by supernet"
    return tag("footer", None, f"{written}. This page is one file and loads nothing from the network.")


def _asset(name: str) -> str:
    return files("supernet.report").joinpath("assets", name).read_text(encoding="utf-8")


def _inline(script: str) -> str:
    """A script as the browser will see it between its tags, whose digest the security policy names."""
    return script.replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
