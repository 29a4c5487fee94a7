"""`supernet list`: what there is by name."""

from __future__ import annotations

import json
import sys
from itertools import groupby
from typing import Annotated, Any

from cyclopts import Parameter

from supernet import catalog
from supernet.catalog import Entry, Kind


def list_names(
    kind: Kind | None = None, /, *, as_json: Annotated[bool, Parameter(name="--json", negative=())] = False
) -> None:
    """List what there is by name: methods, spaces, data sets, pieces of methods, searchers, tables of ground truth.

    Packages beside this one that offer some are listed too.

    Args:
        kind: What to list. Default: how many there are of each kind.
        as_json: Print JSON, with all that is known of each.
    """
    if kind is None:
        counts = {each: len(catalog.entries(each)) for each in catalog.KINDS}
        lines = [f"{each:<9}  {count:>3}  {_MEANINGS[each]}" for each, count in counts.items()]
        _say(json.dumps(counts) if as_json else "\n".join([*lines, "", "supernet list KIND names them."]))
        return
    found = catalog.entries(kind)
    if as_json:
        _say(json.dumps([_described(entry) for entry in found], indent=2, ensure_ascii=False))
        return
    width = max((len(entry.name) for entry in found), default=0)
    blocks = []
    for family, group in groupby(found, key=lambda entry: entry.family):
        lines = [f"  {entry.name:<{width}}  {entry.summary}{_source(entry)}".rstrip() for entry in group]
        blocks.append("\n".join([f"{family}:", *lines] if family else lines))
    _say("\n\n".join(blocks))
    if kind == "data":
        _say("\nA directory of images or an .npz file of one's own is given by its path.")
    elif kind == "tables":
        _say("\nA file of one's own is given by its path.")
    else:
        _say("\nOne of your own is given as module:name.")


_MEANINGS: dict[Kind, str] = {
    "methods": "ways to train a supernet (--method)",
    "spaces": "search spaces (--space)",
    "data": "data sets (--data)",
    "pieces": "what methods are composed of, and their settings take (-M weights.schedule=Cosine)",
    "searchers": "ways to search a trained supernet (--searcher)",
    "tables": "ground truth to judge a ranking by (--table)",
}


def _source(entry: Entry) -> str:
    """Paper, year and provenance, in brackets."""
    if not entry.papers:
        return ""
    papers = "; ".join(f"{paper.name}, {paper.venue} {paper.year}" for paper in entry.papers)
    return f" [{papers}; {' / '.join(dict.fromkeys(paper.provenance for paper in entry.papers))}]"


def _described(entry: Entry) -> dict[str, Any]:
    papers = [
        {"name": p.name, "title": p.title, "venue": p.venue, "year": p.year, "link": p.link, "provenance": p.provenance}
        for p in entry.papers
    ]
    return {
        "name": entry.name,
        "family": entry.family,
        "summary": entry.summary,
        "where": entry.where,
        "package": entry.origin,
        "papers": papers,
    }


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
