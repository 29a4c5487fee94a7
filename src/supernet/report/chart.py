"""Charts: what to draw as data; the page's script draws it with plotly in the colours of the page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape as escape_markup
from typing import Any

from supernet.report.html import Html, join, tag

Spec = Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """One choice of the menu above a chart: changes to its traces, one per trace, and to its layout."""

    label: str
    layout: Spec
    traces: Sequence[Spec] = ()


@dataclass(frozen=True)
class Chart:
    """A plotly figure whose colours may be CSS variables, such as ``"var(--accent)"``.

    Attributes:
        id: unique on the page.
        title: what it shows, for people who do not see it.
        traces: plotly traces.
        views: the first one is shown at the start; a menu appears where there are several.
        menu: the words before the menu.
        height: in pixels.
        items: architectures behind the points; a trace refers to them by index in its ``customdata``.
        start: the item described beside the chart before one is pointed at.
    """

    id: str
    title: str
    traces: Sequence[Spec]
    views: Sequence[View]
    menu: str = "Show"
    height: int = 340
    items: Sequence[Spec] = ()
    start: int | None = None

    def html(self) -> Html:
        """The place of the chart, its menu, and its data."""
        spec = {
            "traces": self.traces,
            "views": [{"traces": view.traces, "layout": view.layout} for view in self.views],
            "items": self.items,
            "start": self.start,
        }
        options = [tag("option", {"value": str(number)}, view.label) for number, view in enumerate(self.views)]
        menu = tag("label", {"class": "menu"}, self.menu, " ", tag("select", {"data-chart": self.id}, *options))
        plot = tag(
            "div",
            {"id": self.id, "class": "chart", "role": "img", "aria-label": self.title}
            | {"style": f"height:{self.height}px"},
        )
        data = tag("script", {"type": "application/json", "id": f"{self.id}-data"}, script_json(spec))
        return join([menu if len(self.views) > 1 else "", plot, data])


def script_json(value: Any) -> Html:
    """JSON that can stand inside a script element; numbers that JSON lacks become null."""
    return Html(json.dumps(_finite(value), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"))


def chart_text(text: str) -> str:
    """Text for a legend, an axis or a hover box, where plotly would otherwise read markup."""
    return escape_markup(text, quote=False)


def thin(count: int, limit: int) -> list[int]:
    """At most ``limit`` evenly spread indices below ``count``, with the first and the last.

    >>> thin(5, 10), thin(101, 5)
    ([0, 1, 2, 3, 4], [0, 25, 50, 75, 100])
    """
    if count <= limit:
        return list(range(count))
    return [round(i * (count - 1) / (limit - 1)) for i in range(limit)]


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
