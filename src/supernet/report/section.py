"""A part of the page."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.report.html import Html, tag


@dataclass(frozen=True)
class Section:
    """A heading with what belongs to it.

    Attributes:
        id: the anchor, unique on the page.
        title: the heading.
        menu: its short name in the menu at the top of the page.
        body: what stands below the heading.
    """

    id: str
    title: str
    menu: str
    body: Html


def card(title: str, *body: str) -> Html:
    """A framed part of a section with a heading of its own."""
    return tag("div", {"class": "card"}, tag("h3", None, title), *body)
