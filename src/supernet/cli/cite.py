"""`supernet cite`: the papers a run rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from supernet import catalog
from supernet.cli.list import described
from supernet.cli.output import Json, Output
from supernet.errors import UsageError
from supernet.paper import Paper
from supernet.settings import inner_methods


def cite(
    what: Annotated[
        str,
        Parameter(
            help="Directory of a run, whose space, method, pieces and search are cited; or a method, space, searcher "
            "or predictor by name (supernet list)."
        ),
    ],
    /,
    *further: Annotated[str, Parameter(help="More of them.")],
    as_json: Json = False,
) -> None:
    """Print BibTeX of what runs, or methods, rest on; each paper once.

    supernet cite runs/a runs/b >> references.bib

    supernet cite fairnas nasbench201
    """
    papers = _distinct(paper for each in (what, *further) for paper in _of(each))
    Output(as_json).result([described(paper) for paper in papers], "\n\n".join(paper.bibtex() for paper in papers))


def _of(what: str) -> list[Paper]:
    papers = _of_run(Path(what)) if (Path(what) / "config.json").is_file() else _of_name(what)
    if not papers:
        raise UsageError(f"No paper is known for {what}; a module says its own with a constant PAPER = Paper(…).")
    return papers


def _of_name(name: str) -> list[Paper]:
    for kind in ("methods", "spaces", "searchers", "predictors"):
        if name in catalog.names(kind):
            return _distinct(_method(name, {}) if kind == "methods" else catalog.find(kind, name).papers)
    if Path(name).is_dir():
        raise UsageError(f"{name} is not the directory of a run (it holds no config.json); give one, or a method.")
    catalog.find("methods", name)  # says which there are
    raise AssertionError(name)


def _of_run(path: Path) -> list[Paper]:
    from supernet.io.config import Config

    config = Config.read(path / "config.json")
    return _distinct(_config(config, searched=(path / "front.json").is_file()))


def _config(config: Any, *, searched: bool) -> Iterator[Paper]:
    yield from _method(config.method.name, config.method.options)
    yield from _papers("spaces", config.space.name)
    if searched:
        yield from _papers("searchers", config.search.searcher)
        if config.search.predictor is not None:
            yield from _papers("predictors", config.search.predictor)
    if config.search.shifting is not None:
        yield from catalog.papers_of("supernet.search.shifting")


def _method(name: str, options: Mapping[str, Any]) -> Iterator[Paper]:
    """Papers of a method, of the methods it goes around, and of the pieces that are named in its options."""
    yield from _papers("methods", name)
    for inner, settings in inner_methods(catalog.load("methods", name), options):
        itself = inner == name and not settings  # what a published baseline of one's own is called
        if not itself and (catalog.is_own(inner) or inner in catalog.names("methods")):
            yield from _method(inner, settings)
    for piece in _named(options):
        if piece in catalog.names("pieces"):
            yield from _papers("pieces", piece)


def _named(value: Any) -> Iterator[str]:
    """All texts in settings, which may be names of pieces."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _named(item)


def _papers(kind: catalog.Kind, name: str) -> tuple[Paper, ...]:
    return catalog.papers_of(name.partition(":")[0]) if catalog.is_own(name) else catalog.find(kind, name).papers


def _distinct(papers: Iterable[Paper]) -> list[Paper]:
    """Each paper once, whatever it is cited for."""
    return list({paper.title: paper for paper in papers}.values())
