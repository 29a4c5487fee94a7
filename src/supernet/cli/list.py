"""`supernet list`: what there is by name."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated, Any

from cyclopts import Parameter

from supernet import catalog
from supernet.catalog import Entry, Kind
from supernet.cli.output import Json, Output
from supernet.paper import Paper


def list_names(
    kind: Annotated[Kind | None, Parameter(help="What to list. By default how many there are of each kind.")] = None,
    /,
    *,
    as_json: Json = False,
) -> None:
    """List what there is by name: methods, spaces, data sets, pieces, monitors, searchers, predictors, proxies, tables,
    formats.

    Packages beside this one that offer some are listed too.

        supernet list methods

        supernet list pieces --json
    """
    output = Output(as_json)
    if kind is None:
        counts = {each: len(catalog.entries(each)) for each in catalog.KINDS}
        lines = [f"{each:<10}  {count:>3}  {_MEANINGS[each]}" for each, count in counts.items()]
        output.result(counts, "\n".join([*lines, "", "supernet list KIND names them."]))
        return
    found = catalog.entries(kind)
    width = max((len(entry.name) for entry in found), default=0)
    blocks = []
    for family, group in groupby(found, key=lambda entry: entry.family):
        lines = [f"  {entry.name:<{width}}  {entry.summary}{_source(entry)}".rstrip() for entry in group]
        blocks.append("\n".join([f"{family}:", *lines] if family else lines))
    match kind:
        case "data":
            blocks.append("A directory of images or an .npz file of your own is given by its path.")
        case "tables":
            blocks.append("A file of your own is given by its path, a function of your own as module:name.")
        case _:
            blocks.append("One of your own is given as module:name.")
    output.result([_described(entry) for entry in found], "\n\n".join(blocks))


_MEANINGS: dict[Kind, str] = {
    "methods": "ways to train a supernet (--method)",
    "spaces": "search spaces (--space)",
    "data": "data sets (--data)",
    "tasks": "what networks are asked for (--task)",
    "pieces": "what methods are composed of, and their settings take (-M weights.schedule=Cosine)",
    "monitors": "measurements along a training (`monitors` of `fit`)",
    "searchers": "ways to search a trained supernet (--searcher)",
    "predictors": "what a search can learn to ask in place of the supernet (--predictor)",
    "proxies": "scores of architectures before any training (--proxies)",
    "tables": "ground truth to judge a ranking by (--table)",
    "formats": "kinds of files that networks are exported as (--format)",
}


def _source(entry: Entry) -> str:
    """Paper, year and provenance, in brackets."""
    if not entry.papers:
        return ""
    papers = "; ".join(f"{paper.name}, {paper.venue} {paper.year}" for paper in entry.papers)
    return f" [{papers}; {' / '.join(dict.fromkeys(paper.provenance for paper in entry.papers))}]"


def _described(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "family": entry.family,
        "summary": entry.summary,
        "where": entry.where,
        "package": entry.origin,
        "papers": [described(paper) for paper in entry.papers],
    }


def described(paper: Paper) -> dict[str, Any]:
    """What is known of a paper, for programs."""
    names = ("name", "title", "authors", "venue", "year", "link", "provenance")
    return {name: getattr(paper, name) for name in names}
