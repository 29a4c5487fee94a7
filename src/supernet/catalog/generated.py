"""The files that `python -m supernet.catalog --write` writes: type stubs of lazy packages, tables of the documents."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import supernet
from supernet import catalog
from supernet.catalog.entry import Entry
from supernet.catalog.sources import ROOT
from supernet.errors import UsageError
from supernet.paper import Paper


def stale(root: Path | None = None, *, write: bool = False) -> list[Path]:
    """The generated files that no longer say what the sources say.

    Args:
        root: The checkout, with README.md and docs/; None: the one that this package is imported from.
        write: Whether to bring them up to date.
    """
    changed = []
    for path, text in texts(ROOT.parents[1] if root is None else root).items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            changed.append(path)
            if write:
                path.write_text(text, encoding="utf-8")
    return changed


def texts(root: Path) -> dict[Path, str]:
    """What each generated file of a checkout should hold.

    A document holds generated text between `<!-- generated: NAME -->` and `<!-- end -->`.

    Raises:
        UsageError: this is no checkout, or a document lacks a marker.
    """
    if not (root / "README.md").is_file():
        raise UsageError(f"{root} is not a checkout of supernet (it has no README.md); generated files live in one.")
    found = {}
    for name, marker, text in (
        ("docs/methods/README.md", "methods", _methods()),
        ("docs/zoo.md", "spaces", _spaces()),
        ("docs/train.md", "pieces", _pieces()),
    ):
        found[root / name] = _between(name, (root / name).read_text(encoding="utf-8"), marker, text)
    package, homes = root / "src/supernet", vars(supernet)["_HOMES"]
    found[package / "__init__.pyi"] = _stub(
        [("supernet._version", "__version__"), *((_module(name, home), name) for name, home in homes.items())],
        supernet.__all__,
    )
    for room in catalog.LAZY:
        modules = [(module, name) for name, module in catalog.exports(room).items()]
        found[package / room / "__init__.pyi"] = _stub(modules, catalog.listed(room))
    return found


def _module(name: str, room: str) -> str:
    """Where a name of this package's stub is from: its module, which a type checker cannot take for the name."""
    return catalog.exports(room)[name] if room in catalog.LAZY else f"supernet.{room}"


def _between(name: str, text: str, marker: str, new: str) -> str:
    pattern = re.compile(rf"(<!-- generated: {marker} -->)(.*?)(<!-- end -->)", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise UsageError(f"{name} needs the lines <!-- generated: {marker} --> and, after it, <!-- end -->, once each.")
    return pattern.sub(lambda found: f"{found[1]}{new}{found[3]}", text)


def _stub(names: Sequence[tuple[str, str]], public: Sequence[str]) -> str:
    """A stub of names, each with its module, and with what is in `__all__`."""
    imports = "".join(f"from {module} import {name} as {name}\n" for module, name in sorted(names))
    sort = sorted(public, key=lambda name: (not name.isupper(), not name[0].isupper(), name))  # as ruff sorts it
    listed = "".join(f'    "{name}",\n' for name in sort)
    return f"# Written by: python -m supernet.catalog --write\n{imports}\n__all__ = [\n{listed}]\n"


def _methods() -> str:
    rows = []
    for entry in catalog.own("methods"):
        provenance = entry.papers[0].provenance if entry.papers else ""
        rows.append(
            (f"[`{entry.name}`]({entry.name}.md)", _linked(entry.papers), _what(entry), provenance, entry.family)
        )
    return _table(("method", "paper", "what it does", "settings from", "family"), rows)


def _spaces() -> str:
    rows = []
    for entry in catalog.own("spaces"):
        file = "/".join(entry.module.split(".")[1:]) + ".py"
        rows.append((f"`{entry.name}`", _linked(entry.papers), _what(entry), f"`{file}`"))
    return _table(("builder", "paper", "what varies", "file"), rows)


def _pieces() -> str:
    rows = []
    for family, found in groupby(catalog.own("pieces"), key=lambda entry: entry.family):
        text = (ROOT / "train" / family / "__init__.py").read_text(encoding="utf-8")
        meaning = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0].rstrip(".")
        rows.append((f"`{family}`", meaning, ", ".join(f"`{entry.name}`" for entry in found)))
    return _table(("folder", "what is in it", "pieces"), rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") or "–" for cell in row] for row in rows)]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _linked(papers: tuple[Paper, ...]) -> str:
    return ", ".join(f"[{p.name}, {p.venue} {p.year}]({p.link})" if p.link else f"{p.venue} {p.year}" for p in papers)


def _what(entry: Entry) -> str:
    """A docstring's first line without the name it begins with."""
    name, colon, rest = entry.summary.partition(": ")
    return (rest if colon and len(name) < 40 else entry.summary).rstrip(".")
