"""What the drawings of a comparison are made of: SVG that needs nothing else and follows a dark page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from markupsafe import Markup, escape

from supernet.bench.run_table import RunTable
from supernet.rank.measures import TAU

COLOURS = 6
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}.axis{stroke:#bbb}.free{stroke:#b4530a;stroke-dasharray:5 4}"
    "text.free{fill:#b4530a;stroke:none}"
    ".line{fill:none;stroke:currentColor;stroke-width:2}.span,.mean{stroke:currentColor;stroke-width:2}"
    ".mean{stroke-width:3}.seed{fill:currentColor;fill-opacity:.55}text.name{fill:currentColor}"
    "@media (prefers-color-scheme:dark){text{fill:#ccc}.axis{stroke:#555}.free{stroke:#f0a060}text.free{fill:#f0a060}}"
)
_LIGHT = ("#2a6fb0", "#2f8f4e", "#8a3fb5", "#c23b4b", "#0f8b8d", "#7a6a1e")
_DARK = ("#7ab8f5", "#74d190", "#cf9bf0", "#f58a96", "#5fd3d5", "#d6c463")


def tag(name: str, attributes: Mapping[str, str] | None = None, /, *children: str) -> Markup:
    """One element, its attributes and its text escaped."""
    opening = Markup("").join(Markup(' {}="{}"').format(key, value) for key, value in (attributes or {}).items())
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), opening, Markup("").join(map(escape, children)))


def drawing(label: str, width: int, height: int, *parts: Markup) -> str:
    """The file. Parts of class `c0` to `c5` are coloured by their `color`."""
    colours = [f".c{place}{{color:{colour}}}" for place, colour in enumerate(_LIGHT)]
    dark = [f".c{place}{{color:{colour}}}" for place, colour in enumerate(_DARK)]
    style = _STYLE + "".join(colours) + "@media (prefers-color-scheme:dark){" + "".join(dark) + "}"
    size = {"viewBox": f"0 0 {width} {height}", "width": str(width), "height": str(height)}
    root = {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "aria-label": label, **size}
    return tag("svg", root, tag("style", None, Markup(style)), *parts) + "\n"


def segment(kind: str, x1: float, x2: float, y1: float, y2: float) -> Markup:
    """A straight line."""
    return tag("line", {"class": kind, "x1": _at(x1), "x2": _at(x2), "y1": _at(y1), "y2": _at(y2)})


def path(kind: str, points: list[tuple[float, float]]) -> Markup:
    """A line through points."""
    through = " ".join(f"{_at(x)},{_at(y)}" for x, y in points)
    return tag("polyline", {"class": f"line {kind}", "points": through})


def words(x: float, y: float, text: str, *, anchor: str, kind: str = "") -> Markup:
    """A line of text."""
    more = {"class": kind} if kind else {}
    return tag("text", {"x": _at(x), "y": _at(y), "text-anchor": anchor} | more, text)


def dot(kind: str, x: float, y: float, said: str) -> Markup:
    """A training, with the words a reader sees who points at it."""
    return tag("circle", {"class": f"seed {kind}", "cx": _at(x), "cy": _at(y), "r": "5"}, tag("title", None, said))


def tenths(low: float, high: float) -> list[float]:
    """Tenths from below the lowest to above the highest value.

    >>> tenths(0.32, 0.58), tenths(0.0, 0.0)
    ([0.3, 0.4, 0.5, 0.6], [0.0, 0.1])
    """
    first, last = math.floor(10 * low + 1e-9), math.ceil(10 * high - 1e-9)
    return [tenth / 10 for tenth in range(first, max(last, first + 1) + 1)]


def free_taus(table: RunTable) -> Iterator[tuple[float, str]]:
    """Kendall's τ of the rankings that cost nothing, those that would lie on each other under one name."""
    left = {name: figures[TAU.name].value for name, figures in table.free.items() if name != "random order"}
    while left:
        value = next(iter(left.values()))
        names = [name for name, other in left.items() if abs(other - value) < 0.02]
        yield value, ", ".join(names)
        for name in names:
            del left[name]


def _at(value: float) -> str:
    return f"{value:.1f}"
