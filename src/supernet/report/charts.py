"""Charts: what to draw as data; the page's script draws it with plotly in the colours of the page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from markupsafe import Markup

Spec = Mapping[str, Any]

COLOURS = ("var(--accent)", "var(--late)", "var(--third)", "var(--fourth)", "var(--fifth)")
HOVER = {"hovertemplate": "%{hovertext}<extra></extra>"}
"""For traces whose points have an item each."""


@dataclass(frozen=True)
class View:
    """One choice of the menu above a chart: changes to its traces, one per trace, and to its layout."""

    label: str
    layout: Spec
    traces: Sequence[Spec] = ()


@dataclass(frozen=True)
class Chart:
    """A plotly figure whose colours may be CSS variables, such as `"var(--accent)"`.

    Attributes:
        id: The anchor, unique on the page.
        title: What it shows, for people who do not see it.
        traces: Traces of plotly, as data.
        views: The first one is shown at the start; a menu appears where there are several.
        card: The heading of the frame around it, where it has one of its own.
        menu: The words before the menu.
        height: Height in pixels.
        items: Architectures behind the points; a trace refers to them by index in its `customdata`.
        start: The item described beside the chart before one is pointed at.
    """

    id: str
    title: str
    traces: Sequence[Spec]
    views: Sequence[View]
    card: str = ""
    menu: str = "Show"
    height: int = 340
    items: Sequence[Spec] = ()
    start: int | None = None

    @property
    def data(self) -> Markup:
        """What the script draws, as JSON that can stand inside a script element; numbers that JSON lacks are null."""
        views = [{"traces": view.traces, "layout": self._from_zero(view.layout)} for view in self.views]
        spec = {"traces": self.traces, "views": views, "items": self.items, "start": self.start}
        text = json.dumps(_finite(spec), separators=(",", ":"), allow_nan=False)
        return Markup(text.replace("<", "\\u003c"))

    def _from_zero(self, layout: Spec) -> Spec:
        """A layout that shows a constant beside 0; plotly draws one of 0.005 between -1 and 1, as if it were 0."""
        heights = {y for trace in self.traces for y in trace.get("y", ()) if isinstance(y, int | float)}
        axis = layout.get("yaxis", {})
        if len(heights) != 1 or axis.get("type") == "log" or "range" in axis:
            return layout
        (height,) = heights
        if not math.isfinite(height) or height == 0:
            return layout
        return {**layout, "yaxis": {**axis, "range": sorted((0.0, 2.0 * height))}}


def chart_text(text: str) -> str:
    """Text for a legend, an axis or a hover box, where plotly would otherwise read markup."""
    return escape(text, quote=False)


def line(name: str, x: Sequence[float], y: Sequence[float], colour: str, **style: Any) -> dict[str, Any]:
    """A trace that is a line.

    Args:
        name: Name of the line in the legend.
        x: Places along the horizontal axis.
        y: Values at these places.
        colour: A CSS colour or variable.
        **style: Further settings of the line, such as `dash` or `shape`.
    """
    stroke = {"color": colour, "width": 2} | style
    return {"type": "scatter", "mode": "lines", "name": chart_text(name), "x": x, "y": y, "line": stroke}


def axes(x: str, y: str, tick_format: str = "", **layout: Any) -> dict[str, Any]:
    """A layout with two titled axes; `tick_format` is that of the vertical one."""
    return {
        "xaxis": {"title": {"text": chart_text(x)}} | ({"tickformat": "~s"} if x == "step" else {}),
        "yaxis": {"title": {"text": chart_text(y)}, "tickformat": tick_format},
        "hovermode": "x unified",
    } | layout


def thin(count: int, limit: int) -> list[int]:
    """At most `limit` evenly spread indices below `count`, with the first and the last.

    >>> thin(5, 10), thin(101, 5)
    ([0, 1, 2, 3, 4], [0, 25, 50, 75, 100])
    """
    if count <= limit:
        return list(range(count))
    return [round(i * (count - 1) / (limit - 1)) for i in range(limit)]


def smooth(values: Sequence[float], span: int) -> list[float]:
    """Exponential moving average with the given span, without bias towards zero; NaN values are passed over.

    >>> smooth([1.0, 1.0, 4.0], 1), smooth([2.0, 2.0], 9)
    ([1.0, 1.0, 4.0], [2.0, 2.0])
    """
    keep = 1 - 2 / (span + 1)
    total = weight = 0.0
    result = []
    for value in values:
        if math.isfinite(value):
            total, weight = keep * total + value, keep * weight + 1
        result.append(total / weight if weight else math.nan)
    return result


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
