"""The exported networks as pictures."""

from __future__ import annotations

import json

from supernet.report.diagram import svg
from supernet.report.html import Html, details, facts, plain, tag
from supernet.report.run import Arch, Export, RunFiles
from supernet.report.section import Section
from supernet.report.units import quantity


def networks(run: RunFiles) -> Section | None:
    """One card per exported network: its figures, its drawing, its decisions."""
    if not run.exports:
        return None
    cards = [_card(run, export, f"network-{number}") for number, export in enumerate(run.exports)]
    title = "The chosen network" if len(cards) == 1 else "The chosen networks"
    return Section("networks", title, "Networks", tag("div", {"class": "stack"}, *cards))


def _card(run: RunFiles, export: Export, anchor: str) -> Html:
    figures = [
        tag("span", None, tag("b", None, quantity(name, run.units).html(value)), " ", quantity(name, run.units).label)
        for name, value in export.values.items()
    ]
    head = tag("div", {"class": "card-head"}, tag("h3", None, export.name), tag("p", {"class": "figures"}, *figures))
    return tag(
        "article",
        {"class": "card", "id": anchor},
        head,
        _drawing(export),
        details("Decisions", facts(_grouped(export.arch)), _copy(export)),
    )


def _drawing(export: Export) -> Html:
    """The drawing twice, for wide and for narrow screens: the style sheet shows one of them."""
    if export.diagram is None:
        return Html("")
    title = f"Architecture of {export.name}"
    wide, narrow = (Html(svg(export.diagram, width=width, title=title)) for width in (960.0, 330.0))
    return tag(
        "div", {"class": "drawing"}, tag("div", {"class": "wide"}, wide), tag("div", {"class": "narrow"}, narrow)
    )


def _grouped(arch: Arch) -> list[tuple[str, str]]:
    """Decisions such as "stage1.width" and "stage1.depth" in one row per stage."""
    rows: dict[str, str] = {}
    for name, option in arch.items():
        group, dot, rest = name.rpartition(".")
        if not dot:
            rows[name] = plain(option)
        else:
            rows[group] = f"{rows[group]}, {rest} {plain(option)}" if group in rows else f"{rest} {plain(option)}"
    return list(rows.items())


def _copy(export: Export) -> Html:
    arch = json.dumps(dict(export.arch))
    return tag("button", {"type": "button", "data-copy": arch}, "Copy as JSON")
