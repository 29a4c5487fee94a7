"""The pages of the documentation site: those of `docs/`, and what is made of the package itself.

`python website/stage.py FOLDER` lays them into a folder, from which `mkdocs.yml` builds the site. Links that lead out
of `docs/` lead to a page of the site: a file of the repository becomes a page that shows it. To each method's page its
facts and its reference are added; each space gets a page with its facts; each room of the package gets a reference.
Every example is run at a tiny setting, and its page shows what it printed.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import torch

from printed import TINY, printed
from supernet import catalog
from supernet.catalog import Entry
from supernet.nn import Supernet
from supernet.paper import Paper

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
ROOT_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages of the repository's root, and what they are called on the site."""
ROOMS = {
    "space": "declare",
    "nn": "declare",
    "zoo": "declare",
    "pretrained": "declare",
    "data": "train",
    "tasks": "train",
    "train": "train",
    "methods": "train",
    "measure": "measure",
    "search": "search",
    "rank": "judge",
    "judge": "judge",
    "bench": "judge",
    "deploy": "deploy",
    "report": "report",
    "runs": "run",
    "workers": "run",
    "paper": "",
    "settings": "",
    "errors": "",
}
"""Modules that have a reference, in the order in which data flow, and the verb of each."""

_LINK = re.compile(r"(?<!\\)(\]\()(?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?(\))")


def stage(folder: Path, printed: Callable[[str], str] = printed) -> list[Path]:
    """Lays all pages into a folder, which is emptied first; returns them.

    Args:
        folder: The folder.
        printed: Tells what the example of a name prints.

    Raises:
        FileNotFoundError: a page links to a file that is not there.
    """
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(DOCS, folder)
    for name, called in ROOT_PAGES.items():
        (folder / called).write_text((ROOT / name).read_text())
    for page in sorted(folder.rglob("*.md")):
        source = _source_of(page.relative_to(folder))
        page.write_text(with_links(page.read_text(), source, folder))
    for entry in catalog.own("methods"):
        page = folder / "methods" / f"{entry.name}.md"
        page.write_text(_method(page.read_text(), entry))
    spaces = catalog.own("spaces")
    for entry in spaces:
        _write(folder / "spaces" / f"{entry.name}.md", _space(entry))
    _write(folder / "spaces" / "index.md", _spaces(spaces))
    for room in ROOMS:
        _write(
            folder / "reference" / f"{room}.md",
            f"# supernet.{room}\n\n::: supernet.{room}\n    options:\n      show_root_heading: false\n",
        )
    _write(folder / "reference" / "index.md", _reference())
    examples = sorted((ROOT / "examples").glob("*.py"))
    for example in examples:
        _write(folder / "examples" / f"{example.stem}.md", _example(example, printed(example.stem)))
    _write(folder / "examples" / "index.md", _examples(examples))
    return sorted(folder.rglob("*.md"))


def _source_of(page: Path) -> Path:
    """The file in the repository that a page of the site stands for."""
    names = {page: name for name, page in ROOT_PAGES.items()}
    return ROOT / names[str(page)] if str(page) in names else DOCS / page


def with_links(text: str, source: Path, folder: Path) -> str:
    """A page whose links lead to pages of the site."""
    here = _page_of(source)

    def moved(match: re.Match[str]) -> str:
        before, target, anchor, after = match.groups()
        aim = Path(os.path.normpath(source.parent / target))
        if not aim.exists():
            raise FileNotFoundError(f"{source.relative_to(ROOT)} links to {target}, which is not there.")
        if aim.is_dir():
            aim = aim / "README.md" if (aim / "README.md").is_file() else aim
        if aim.is_relative_to(DOCS) and aim.is_file():
            page = aim.relative_to(DOCS)
        elif aim == ROOT / "README.md":
            page = Path("index.md")
        elif str(aim.relative_to(ROOT)) in ROOT_PAGES:
            page = _page_of(aim)
        else:
            page = _shown(aim, folder)
        return f"{before}{os.path.relpath(page, here.parent)}{anchor or ''}{after}"

    return _LINK.sub(moved, text)


def _page_of(source: Path) -> Path:
    name = str(source.relative_to(ROOT))
    return Path(ROOT_PAGES[name]) if name in ROOT_PAGES else source.relative_to(DOCS)


def _shown(aim: Path, folder: Path) -> Path:
    """The page that shows a file, or lists a folder, of the repository."""
    name = aim.relative_to(ROOT)
    page = Path("files") / f"{name}.md"
    if aim.is_dir():
        files = [each for each in sorted(aim.iterdir()) if each.suffix in (".py", ".md", ".toml")]
        shown = [(each.name, _shown(each, folder)) for each in files]
        lines = [f"- [{label}]({os.path.relpath(link, page.parent)})" for label, link in shown]
        text = "\n".join([f"# {name}/", "", *lines, ""])
    else:
        language = {".py": "python", ".toml": "toml"}.get(aim.suffix, "text")
        text = f"# {name}\n\n````{language}\n{aim.read_text()}````\n"
    _write(folder / page, text)
    return page


def _method(text: str, entry: Entry) -> str:
    """A method's page with its facts below the heading and its reference at the end."""
    heading, body = text.split("\n", 1)
    facts = [
        f"**Family:** {entry.family}; **settings follow:** {', '.join(paper.provenance for paper in entry.papers)}  ",
        f"**Train with it:** `supernet train --method {entry.name} …`, `supernet.methods.{entry.name}(…)`",
    ]
    reference = f"::: {entry.module}.{entry.attribute}"
    return "\n".join([heading, "", *facts, "", body.strip(), "", "## Reference", "", reference, ""])


def _cited(paper: Paper) -> str:
    named = f"[{paper.title}]({paper.link})" if paper.link else paper.title
    return f"{', '.join(paper.authors)}: {named}, {paper.venue} {paper.year}; settings: {paper.provenance}"


def _space(entry: Entry) -> str:
    name = entry.name
    with torch.device("meta"):
        net = _built(entry)
    facts = [*(f"**Paper:** {_cited(paper)}  " for paper in entry.papers), f"**Family:** {entry.family}  "]
    if net is not None:
        parameters = sum(parameter.numel() for parameter in net.parameters())
        facts += [
            f"**Choices:** {len(net.space.choices):,}  ",
            f"**Architectures:** {_size(net.space.size)}  ",
            f"**Parameters of the supernet:** {parameters:,}  ",
        ]
    facts.append(f"**Use it:** `supernet train --space {name} …`, `supernet.zoo.{name}(…)`")
    more = "[Search spaces](../zoo.md) shows it at work: settings, golden costs, differences from the paper."
    return "\n".join(
        [f"# {name}", "", f"{entry.summary}", "", *facts, "", more, "", f"::: {entry.module}.{entry.attribute}", ""]
    )


def _built(entry: Entry) -> Supernet | None:
    """The space with its default settings; None: it is made of a model of the user's."""
    return None if entry.family == "models" else entry.load()()


def _size(number: int) -> str:
    return f"{number:,}" if number < 10**15 else f"{float(number):.2e}".replace("e+", " · 10^") + " (rounded)"


def _spaces(spaces: tuple[Entry, ...]) -> str:
    lines = ["# All spaces", "", "[Search spaces](../zoo.md) describes them one after the other.", ""]
    for family, group in groupby(spaces, key=lambda entry: entry.family):
        lines += [f"## {family}", "", *(f"- [`{entry.name}`]({entry.name}.md): {entry.summary}" for entry in group), ""]
    return "\n".join(lines)


def _reference() -> str:
    lines = [f"- [`supernet.{room}`]({room}.md){f' – {verb}' if verb else ''}" for room, verb in ROOMS.items()]
    return "\n".join(
        ["# Reference", "", "What each room of the package offers, in the order in which data flow.", "", *lines, ""]
    )


def _told(example: Path) -> tuple[str, str, str]:
    """The title, the further words and the code of an example."""
    tree = ast.parse(example.read_text())
    title, _, words = (ast.get_docstring(tree) or "").partition("\n")
    code = "\n".join(example.read_text().splitlines()[tree.body[0].end_lineno or 0 :])
    return title.rstrip("."), words.strip(), code.strip()


def _example(example: Path, output: str) -> str:
    """An example as a page: its words, then its code, then what it printed when this page was made."""
    title, words, code = _told(example)
    blocks = [
        f"```console\n{block}\n```" if "python " in block or "supernet " in block else block
        for block in words.split("\n\n")
    ]
    call = TINY[example.stem].told(example.stem)
    language, typed = ("console", f"$ {call}") if call.startswith("supernet ") else ("python", f">>> {call}")
    small = (
        "This page ran it at a setting that takes seconds, so the figures mean nothing; they show what is printed. "
        "What each line is about, the comments of the code say."
    )
    shown = ["## What it prints", small, f"```{language}\n{typed}\n```", f"````text\n{output}\n````"]
    return "\n\n".join([f"# {title}", *blocks, f"```python\n{code}\n```", *shown, ""])


def _examples(examples: list[Path]) -> str:
    lines = [
        "# Examples",
        "",
        "Each is a file of `examples/` that runs. Its page shows what it printed at a tiny setting.",
        "",
    ]
    return "\n".join([*lines, *(f"- [{_told(one)[0]}]({one.stem}.md)" for one in examples), ""])


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    print(f"{len(stage(Path(sys.argv[1])))} pages in {sys.argv[1]}")
