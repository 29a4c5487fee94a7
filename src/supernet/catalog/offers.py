"""What other packages bring, found by their entry points."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from supernet.catalog.entry import Entry, Kind
from supernet.catalog.sources import papers_in, public, source_of, summary_of, tree_of


def offered(kind: Kind) -> tuple[Entry, ...]:
    """What other packages offer in their entry points."""
    found = [_offer(kind, point) for point in entry_points(group=f"supernet.{kind}")]
    return tuple(sorted(found, key=lambda entry: (entry.origin, entry.name)))


def _offer(kind: Kind, point: EntryPoint) -> Entry:
    origin = "another package" if point.dist is None else point.dist.name
    entry = Entry(kind, point.name, point.module, point.attr, origin, origin=origin)
    path = source_of(point.module)
    try:
        tree = tree_of(path) if path is not None else None
        if tree is None:
            return entry
        papers = papers_in(tree)
    except (OSError, ValueError, SyntaxError, TypeError):
        return entry  # loading it says what is wrong
    summary = next((summary_of(node) for node in public(tree) if node.name == point.attr), "")
    return Entry(kind, point.name, point.module, point.attr, origin, summary, papers, origin)
