"""HTML that is escaped unless it was built here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

from supernet.io.decode import Json


class Html(str):
    """Text that is HTML already. Every other string is escaped where it enters a tag."""

    __slots__ = ()


def escape(text: str) -> Html:
    """Make text safe as content or attribute; leave `Html` as it is."""
    return text if isinstance(text, Html) else Html(html.escape(text))


def join(parts: Iterable[str]) -> Html:
    """Concatenate, escaping what is not `Html`."""
    return Html("".join(escape(part) for part in parts))


def tag(name: str, attributes: Mapping[str, str] | None = None, /, *children: str) -> Html:
    """One element.

    >>> tag("a", {"href": "#x"}, "1 < 2", tag("b", None, "bold"))
    '<a href="#x">1 &lt; 2<b>bold</b></a>'
    """
    opening = "".join(f' {key}="{html.escape(value)}"' for key, value in (attributes or {}).items())
    return Html(f"<{name}{opening}>{join(children)}</{name}>")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: Iterable[int] = ()) -> Html:
    """A table in a container that scrolls sideways; the columns in ``numeric`` are right-aligned."""
    right = set(numeric)

    def cells(kind: str, row: Sequence[str]) -> Html:
        return join(tag(kind, {"class": "num"} if i in right else None, cell) for i, cell in enumerate(row))

    header = tag("thead", None, tag("tr", None, cells("th", head))) if head else Html("")
    body = tag("tbody", None, join(tag("tr", None, cells("td", row)) for row in rows))
    return tag("div", {"class": "scroll"}, tag("table", None, header, body))


def facts(rows: Iterable[tuple[str, str]]) -> Html:
    """A two-column table of names and values."""
    body = join(tag("tr", None, tag("th", {"scope": "row"}, k), tag("td", None, v)) for k, v in rows)
    return tag("div", {"class": "scroll"}, tag("table", {"class": "facts"}, tag("tbody", None, body)))


def details(summary: str, *body: str) -> Html:
    """A part that opens on demand."""
    return tag("details", None, tag("summary", None, summary), *body)


def note(*sentences: str) -> Html:
    """A caveat or explanation in small print."""
    return tag("p", {"class": "note"}, *sentences)


def plain(value: Json) -> str:
    """A JSON value as a person would write it.

    >>> plain([3, 3]), plain(0.05), plain(None), plain(True), plain({"a": [1]})
    ('3, 3', '0.05', '–', 'yes', 'a: 1')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list):
        return ", ".join(plain(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {plain(item)}" for key, item in value.items()) or "none"
    return str(value)
