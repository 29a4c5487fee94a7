"""Kendall's τ of every cell as a drawing: a dot per seed, the interval, and what parameter count reaches."""

from __future__ import annotations

import math
from collections.abc import Iterator

from supernet.bench.run_table import RunTable
from supernet.judge.measure import TAU
from supernet.report.html import Html, tag

_LINE, _LABEL, _MARGIN, _WIDE = 34, 18, 84, 520
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}.axis{stroke:#bbb}.free{stroke:#b4530a;stroke-dasharray:5 4}"
    ".freetext{fill:#b4530a}.span{stroke:#2a6fb0;stroke-width:2}.mean{stroke:#2a6fb0;stroke-width:3}"
    ".seed{fill:#2a6fb0;fill-opacity:.55}"
    "@media (prefers-color-scheme:dark){text{fill:#ccc}.axis{stroke:#555}.free{stroke:#f0a060}.freetext{fill:#f0a060}"
    ".span,.mean{stroke:#7ab8f5}.seed{fill:#7ab8f5}}"
)


def as_svg(table: RunTable) -> str:
    """The drawing, as SVG that needs nothing else and follows a dark page."""
    rows = [(row.name, row.figures[TAU.name]) for row in table.rows]
    free = {name: figures[TAU.name].value for name, figures in table.free.items() if name != "random order"}
    ends = [0.0, *free.values()]
    for _, estimate in rows:
        ends += [*estimate.trainings, *(end for end in (estimate.low, estimate.high) if end is not None)]
    ticks = _ticks(min(ends), max(ends))
    left = max(_MARGIN, 24 + max(8 * len(name) for name, _ in rows))
    low, high = ticks[0], ticks[-1]

    def x(value: float) -> str:
        return f"{left + _WIDE * (value - low) / (high - low):.1f}"

    lines = list(_merged(free))
    top = 16 + _LABEL * len(lines)
    bottom = top + _LINE * len(rows)
    drawn: list[Html] = []
    for tick in ticks:
        drawn.append(_segment("axis", x(tick), x(tick), top, bottom))
        drawn.append(_text(x(tick), bottom + 18, f"{tick:.1f}", anchor="middle"))
    drawn.append(_text(x((low + high) / 2), bottom + 38, "Kendall τ", anchor="middle"))
    for place, (value, names) in enumerate(lines):
        label = 18 + _LABEL * place  # one below the other, so that close ones do not overlap
        drawn.append(_segment("free", x(value), x(value), label + 5, bottom))
        drawn.append(_text(x(value), label, names, anchor="middle", kind="freetext"))
    for place, (name, estimate) in enumerate(rows):
        y = top + _LINE * place + _LINE // 2
        drawn.append(_text(str(left - 12), y + 4, name, anchor="end"))
        if estimate.low is not None and estimate.high is not None:
            drawn.append(_segment("span", x(estimate.low), x(estimate.high), y, y))
        drawn.append(_segment("mean", x(estimate.value), x(estimate.value), y - 8, y + 8))
        for seed, value in zip(table.rows[place].seeds, estimate.trainings, strict=True):
            title = tag("title", None, f"{name}, seed {seed}: {value:.3f}")
            drawn.append(tag("circle", {"class": "seed", "cx": x(value), "cy": str(y), "r": "5"}, title))
    width, height = left + _WIDE + _MARGIN, bottom + 52
    size = {"viewBox": f"0 0 {width} {height}", "width": str(width), "height": str(height)}
    root = {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "aria-label": "Kendall τ by cell", **size}
    return tag("svg", root, tag("style", None, Html(_STYLE)), *drawn) + "\n"


def _ticks(low: float, high: float) -> list[float]:
    """Tenths from below the lowest to above the highest value.

    >>> _ticks(0.32, 0.58), _ticks(0.0, 0.0)
    ([0.3, 0.4, 0.5, 0.6], [0.0, 0.1])
    """
    first, last = math.floor(10 * low + 1e-9), math.ceil(10 * high - 1e-9)
    return [tenth / 10 for tenth in range(first, max(last, first + 1) + 1)]


def _merged(free: dict[str, float]) -> Iterator[tuple[float, str]]:
    """One line for rankings whose lines would lie on each other."""
    left = dict(free)
    while left:
        value = next(iter(left.values()))
        names = [name for name, other in left.items() if abs(other - value) < 0.02]
        yield value, ", ".join(names)
        for name in names:
            del left[name]


def _segment(kind: str, x1: str, x2: str, y1: int, y2: int) -> Html:
    return tag("line", {"class": kind, "x1": x1, "x2": x2, "y1": str(y1), "y2": str(y2)})


def _text(x: str, y: int, text: str, *, anchor: str, kind: str = "") -> Html:
    return tag("text", {"x": x, "y": str(y), "text-anchor": anchor} | ({"class": kind} if kind else {}), text)
