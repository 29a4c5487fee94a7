"""The Pareto front among everything that was evaluated, to hover over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from supernet.report.chart import Chart, View, chart_text
from supernet.report.html import Html, details, join, note, table, tag
from supernet.report.run import Arch, Export, RunFiles, Values
from supernet.report.section import Section
from supernet.report.units import THIN, quantity
from supernet.search import FrontFile, Point

_HOVER = {"hovertemplate": "%{hovertext}<extra></extra>"}


def front(run: RunFiles) -> Section | None:
    """Evaluated architectures, the front and the exported networks, in two quantities at a time."""
    if run.front is None and not run.search:
        return None
    points = run.front.points if run.front else ()
    named = [Point(dict(export.arch), dict(export.values)) for export in run.exports]
    y = run.primary.name
    xs = [name for name in _quantities(run) if name != y and any(name in p.values for p in [*points, *run.search])]
    if not xs:
        return None
    groups: list[Sequence[Point]] = [run.search, points, named]
    views = [_view(run, groups, x, y) for x in xs]
    chart = Chart(
        id="chart-front",
        title=f"{quantity(y, run.units).title} against {quantity(xs[0], run.units).label} of all architectures",
        traces=_traces(run, groups),
        views=views,
        menu="Horizontal axis",
        height=480,
        items=_items(run, groups),
        start=_headline(run, groups),
    )
    inspector = tag(
        "aside",
        {"id": "chart-front-inspector", "class": "inspector", "aria-live": "polite"},
        tag("p", {"class": "muted"}, "Point at an architecture to see its decisions."),
    )
    body = [
        tag("div", {"class": "split"}, tag("div", {"class": "card"}, chart.html()), inspector),
        _caveats(run),
        _front_table(run, run.front) if run.front else "",
    ]
    return Section("front", "What accuracy costs" if y == "accuracy" else "The trade-off", "Front", join(body))


def _headline(run: RunFiles, groups: Sequence[Sequence[Point]]) -> int | None:
    """The item of the network in the page's headline: the best exported one, else the best on the front."""
    evaluated, points, named = groups
    for first, group in ((len(evaluated) + len(points), named), (len(evaluated), points)):
        best = run.best(group)
        if best is not None:
            return first + group.index(best)
    return None


def _quantities(run: RunFiles) -> list[str]:
    names = [run.cost.name, *(o.name for o in run.front.objectives)] if run.front else [run.cost.name]
    names += [name for point in run.search[:1] for name in point.values]
    names += [name for point in (run.front.points[:1] if run.front else ()) for name in point.values]
    return list(dict.fromkeys(names))


def _items(run: RunFiles, groups: Sequence[Sequence[Point]]) -> list[dict[str, Any]]:
    """What to tell about each point; one that was exported or is on the front says so wherever it is pointed at."""
    exported = {_key(export.arch): export for export in run.exports}
    on_front = {_key(point.arch) for point in groups[1]}
    items = []
    for point in [*groups[0], *groups[1]]:
        key = _key(point.arch)
        words = [exported[key].name] if key in exported else ["On the front"] if key in on_front else []
        words += [] if point.generation is None else [f"generation {point.generation}"]
        title = ", ".join(words) or "Evaluated"
        further = exported[key].values if key in exported else {}
        items.append(_item(run, title[:1].upper() + title[1:] if key not in exported else title, point, further))
    return items + [
        _item(run, export.name, Point(dict(export.arch), dict(export.values)), {}) for export in run.exports
    ]


def _item(run: RunFiles, title: str, point: Point, further: Values) -> dict[str, Any]:
    values = []
    for name, value in {**further, **point.values}.items():
        q = quantity(name, run.units)
        values.append([q.label, q.short(value), q.exact(value)])
    return {"title": title, "values": values, "arch": point.arch}


def _key(arch: Arch) -> str:
    return json.dumps(dict(arch), sort_keys=True)


def _traces(run: RunFiles, groups: Sequence[Sequence[Point]]) -> list[dict[str, Any]]:
    start = [0, len(groups[0]), len(groups[0]) + len(groups[1])]
    indices = [list(range(s, s + len(group))) for s, group in zip(start, groups, strict=True)]
    generations = [point.generation for point in groups[0]]
    coloured = len({g for g in generations if g is not None}) > 1
    dots: dict[str, Any] = {"size": 6, "opacity": 0.55, "color": "var(--dots)"}
    if coloured:
        scale = [[0, "var(--early)"], [1, "var(--late)"]]
        bar = {"title": {"text": "generation", "side": "right"}, "thickness": 8, "len": 0.6, "outlinewidth": 0}
        dots |= {"color": generations, "colorscale": scale, "showscale": True, "colorbar": bar}
    front_marker = {"size": 9, "color": "var(--accent)", "line": {"color": "var(--card)", "width": 1.5}}
    named_marker = {"size": 14, "symbol": "diamond", "color": "var(--named)"}
    named_marker |= {"line": {"color": "var(--card)", "width": 2}}
    return [
        {"type": "scatter", "mode": "markers", "name": "evaluated", "marker": dots, "customdata": indices[0]} | _HOVER,
        {"type": "scatter", "mode": "lines+markers", "name": "Pareto front", "marker": front_marker}
        | _HOVER
        | {"line": {"color": "var(--accent)", "width": 2, "shape": "hv"}, "customdata": indices[1]},
        {"type": "scatter", "mode": "markers+text", "name": "exported", "marker": named_marker}
        | _HOVER
        | {"customdata": indices[2], "text": [chart_text(export.name) for export in run.exports]}
        | {"textfont": {"color": "var(--text)", "size": 13}, "cliponaxis": False},
    ]


def _view(run: RunFiles, groups: Sequence[Sequence[Point]], x: str, y: str) -> View:
    qx, qy = quantity(x, run.units), quantity(y, run.units)
    goals = {o.name: o.goal for o in run.front.objectives} if run.front else {}
    patches: list[dict[str, Any]] = []
    for group in groups:
        patches.append({"x": [p.values.get(x) for p in group], "y": [p.values.get(y) for p in group]})
    two = set(goals) == {x, y}  # with more objectives, or along another quantity, the front is no line
    points = groups[1]
    order = sorted(range(len(points)), key=lambda i: points[i].values.get(x, 0.0))
    if two and goals[x] == "max":
        order.reverse()
    start = len(groups[0])
    patches[1] = {
        "x": [points[i].values.get(x) for i in order],
        "y": [points[i].values.get(y) for i in order],
        "customdata": [start + i for i in order],
        "mode": "lines+markers" if two else "markers",
    }
    if len(groups[0]) == 0:
        patches[0]["showlegend"] = False
    right = max((p.values.get(x, 0.0) for group in groups for p in group), default=0.0)
    patches[2]["textposition"] = [  # beyond the front there is room, except beside the axis
        "bottom right" if p.values.get(x, 0.0) < 0.15 * right else "top left" for p in groups[2]
    ]
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": chart_text(qx.title)}, "tickformat": qx.tick_format, "rangemode": "tozero"},
        "yaxis": {"title": {"text": chart_text(qy.title)}, "tickformat": qy.tick_format},
        "shapes": _limits(run, x, "x") + _limits(run, y, "y"),
        "hovermode": "closest",
    }
    if (low := _lowest_shown(run, groups, y)) is not None:
        layout["yaxis"]["range"] = low
    return View(qx.title, layout, patches)


def _lowest_shown(run: RunFiles, groups: Sequence[Sequence[Point]], y: str) -> list[float] | None:
    """Leave a few very poor architectures below the picture, so that they do not flatten the rest."""
    values = sorted(p.values[y] for group in groups for p in group if y in p.values)
    kept = [p.values[y] for group in groups[1:] for p in group if y in p.values]
    if run.primary.goal != "max" or len(values) < 20:
        return None
    low = min([values[len(values) // 20], *kept])
    spread = values[-1] - low
    if values[0] >= low - 0.3 * spread or spread <= 0:
        return None
    return [low - 0.06 * spread, values[-1] + 0.1 * spread]


def _limits(run: RunFiles, name: str, axis: str) -> list[dict[str, Any]]:
    """Lines where the constraints lie."""
    across = "y" if axis == "x" else "x"
    place = {"textposition": "start", "xanchor": "left", "padding": 9} if axis == "x" else {"textposition": "end"}
    q, font = quantity(name, run.units), {"font": {"color": "var(--limit)", "size": 12}}
    low_high = run.front.constraints.get(name, (None, None)) if run.front else (None, None)
    return [
        {"type": "line", f"{axis}0": end, f"{axis}1": end, f"{across}0": 0, f"{across}1": 1, f"{across}ref": "paper"}
        | {"line": {"color": "var(--limit)", "width": 1.5, "dash": "dash"}, "layer": "below"}
        | {"label": {"text": f"limit {chart_text(q.short(end))}", "textangle": 0} | place | font}
        for end in low_high
        if end is not None
    ]


def _caveats(run: RunFiles) -> Html:
    sentences = [
        "Every accuracy in this chart uses weights inherited from the supernet, on the validation images that the "
        "search itself looked at: it ranks architectures and flatters the best of them a little. Test figures of the "
        "exported files are further down."
    ]
    if run.front and run.front.constraints:
        kept = sum(run.feasible(point.values) for point in run.search)
        if run.search:
            sentences.append(f" {kept:,} of {len(run.search):,} evaluated architectures keep the limits.")
    if run.front and run.front.feasible_share is not None and run.front.feasible_share < 1:
        sentences.append(f" About {100 * run.front.feasible_share:.2g}{THIN}% of the whole space does.")
    for name, (low, high) in (run.front.range if run.front else {}).items():
        q = quantity(name, run.units)
        sentences.append(f" The space reaches from {q.short(low)} to {q.words(high)}.")
    y = run.primary.name
    shown = _lowest_shown(run, [run.search, run.front.points if run.front else (), _points(run.exports)], y)
    if shown is not None:
        below = sum(p.values.get(y, shown[0]) < shown[0] for p in run.search)
        sentences.append(f" {below:,} poor architectures lie below the picture; double-click it to see them.")
    return note(*sentences)


def _points(exports: Sequence[Export]) -> list[Point]:
    return [Point(dict(export.arch), dict(export.values)) for export in exports]


def _front_table(run: RunFiles, found: FrontFile) -> Html:
    names = list(dict.fromkeys(name for point in found.points for name in point.values))
    rows = [
        [_exported_as(run.exports, point.arch), *(_cell(run, point.values, name) for name in names)]
        for point in sorted(found.points, key=lambda p: p.values.get(run.cost.name, 0))
    ]
    head = ["exported as", *(quantity(name, run.units).title for name in names)]
    return details(
        f"The front as a table ({len(found.points)} architectures)",
        table(head, rows, numeric=range(1, len(names) + 1)),
    )


def _cell(run: RunFiles, values: Values, name: str) -> Html:
    return quantity(name, run.units).html(values.get(name))


def _exported_as(exports: Sequence[Export], arch: Arch) -> str:
    return ", ".join(export.name for export in exports if _key(export.arch) == _key(arch))
