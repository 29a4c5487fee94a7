"""A part of the page."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.report.html import Html


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
