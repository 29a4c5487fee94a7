"""The Pareto front among everything that was evaluated, to hover over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supernet.report.charts import HOVER, Chart, View, chart_text
from supernet.report.run_files import RunFiles, key
from supernet.report.units import THIN, counted, quantity
from supernet.search.evaluation import Point

Groups = tuple[Sequence[Point], Sequence[Point], Sequence[Point]]


def front(run: RunFiles) -> dict[str, Any] | None:
    """Evaluated architectures, the front and the exported networks, in two quantities at a time."""
    points = run.front.points if run.front else ()
    groups: Groups = run.search, points, [Point(export.arch, dict(export.values)) for export in run.exports]
    y = run.primary.name
    objectives = [o.name for o in run.front.objectives] if run.front else []
    names = [
        run.cost.name,
        *objectives,
        *(name for group in (run.search, points) for p in group[:1] for name in p.values),
    ]
    seen = {name for point in (*run.search, *points) for name in point.values}
    xs = [name for name in dict.fromkeys(names) if name != y and name in seen]
    if not xs:
        return None
    chart = Chart(
        id="chart-front",
        title=f"{quantity(y, run.units).title} against {quantity(xs[0], run.units).label} of all architectures",
        traces=_traces(run, groups),
        views=[_view(run, groups, x, y) for x in xs],
        menu="Horizontal axis",
        height=480,
        items=_items(run, groups),
        start=_start(run, groups),
    )
    exported: dict[str, list[str]] = {}
    for export in run.exports:
        exported.setdefault(key(export.arch), []).append(export.name)
    return {
        "title": f"What {quantity(y).label} costs" if y == run.score.name else "The trade-off",
        "front": chart,
        "sentences": _sentences(run, groups),
        "columns": list(dict.fromkeys(name for point in points for name in point.values)),
        "rows": [
            (", ".join(exported.get(key(point.arch), [])), point.values)
            for point in sorted(points, key=lambda p: p.values.get(run.cost.name, 0))
        ],
    }


def _start(run: RunFiles, groups: Groups) -> int | None:
    """The best exported network, else the best on the front."""
    name, better = run.primary.name, max if run.primary.goal == "max" else min
    first = len(groups[0]) + len(groups[1])
    for group in (groups[2], groups[1]):
        known = [(point.values[name], first + place) for place, point in enumerate(group) if name in point.values]
        if known:
            return better(known, key=lambda pair: pair[0])[1]
        first -= len(groups[1])
    return None


def _items(run: RunFiles, groups: Groups) -> list[dict[str, Any]]:
    """What to tell about each point; one that was exported or is on the front says so wherever it is pointed at."""
    exported = {key(export.arch): export for export in run.exports}
    on_front = {key(point.arch) for point in groups[1]}

    def item(title: str, point: Point) -> dict[str, Any]:
        same = exported.get(key(point.arch))
        values = {**(same.values if same else {}), **point.values}
        known = [(quantity(name, run.units), value) for name, value in values.items()]
        return {"title": title, "values": [[q.label, q.short(v), q.exact(v)] for q, v in known], "arch": point.arch}

    items = []
    for point in [*groups[0], *groups[1]]:
        place = key(point.arch)
        words = [exported[place].name] if place in exported else ["On the front"] if place in on_front else []
        words += [] if point.generation is None else [f"generation {point.generation}"]
        title = ", ".join(words) or "Evaluated"
        items.append(item(title if place in exported else title[:1].upper() + title[1:], point))
    return items + [item(export.name, point) for export, point in zip(run.exports, groups[2], strict=True)]


def _traces(run: RunFiles, groups: Groups) -> list[dict[str, Any]]:
    starts = 0, len(groups[0]), len(groups[0]) + len(groups[1])
    indices = [list(range(start, start + len(group))) for start, group in zip(starts, groups, strict=True)]
    generations = [point.generation for point in groups[0]]
    dots: dict[str, Any] = {"size": 6, "opacity": 0.55, "color": "var(--dots)"}
    last = max((g for g in generations if g is not None), default=0)
    if last > min((g for g in generations if g is not None), default=0):
        scale = [[0, "var(--early)"], [1, "var(--late)"]]
        bar = {"title": {"text": "generation", "side": "right"}, "thickness": 8, "len": 0.6, "outlinewidth": 0}
        bar |= {"dtick": -(-last // 6)}  # whole generations
        dots |= {"color": generations, "colorscale": scale, "showscale": True, "colorbar": bar}
    front_marker = {"size": 9, "color": "var(--accent)", "line": {"color": "var(--card)", "width": 1.5}}
    named_marker = {"size": 14, "symbol": "diamond", "color": "var(--named)"}
    named_marker |= {"line": {"color": "var(--card)", "width": 2}}
    return [
        {"type": "scatter", "mode": "markers", "name": "evaluated", "marker": dots, "customdata": indices[0]} | HOVER,
        {"type": "scatter", "mode": "lines+markers", "name": "Pareto front", "marker": front_marker}
        | {"line": {"color": "var(--accent)", "width": 2, "shape": "hv"}, "customdata": indices[1]}
        | HOVER,
        {"type": "scatter", "mode": "markers+text", "name": "exported", "marker": named_marker}
        | {"customdata": indices[2], "text": _names(run)}
        | {"textfont": {"color": "var(--text)", "size": 13}, "cliponaxis": False}
        | HOVER,
    ]


def _names(run: RunFiles) -> list[str]:
    """Names beside the exported networks; those of one architecture stand together, at the first of them."""
    known: dict[str, list[str]] = {}
    for export in run.exports:
        known.setdefault(key(export.arch), []).append(export.name)
    return [chart_text(", ".join(known.pop(key(export.arch), []))) for export in run.exports]


def _view(run: RunFiles, groups: Groups, x: str, y: str) -> View:
    qx, qy = quantity(x, run.units), quantity(y, run.units)
    goals = {o.name: o.goal for o in run.front.objectives} if run.front else {}
    patches: list[dict[str, Any]] = [
        {"x": [p.values.get(x) for p in group], "y": [p.values.get(y) for p in group]} for group in groups
    ]
    two = set(goals) == {x, y}  # with more objectives, or along another quantity, the front is no line
    backwards = two and goals[x] == "max"
    order = sorted(range(len(groups[1])), key=lambda i: groups[1][i].values.get(x, 0.0), reverse=backwards)
    patches[1] = {name: [values[i] for i in order] for name, values in patches[1].items()}
    patches[1] |= {"customdata": [len(groups[0]) + i for i in order], "mode": "lines+markers" if two else "markers"}
    if not groups[0]:
        patches[0]["showlegend"] = False
    right = max((p.values.get(x, 0.0) for group in groups for p in group), default=0.0)
    beyond, within = ("top", "bottom") if run.primary.goal == "max" else ("bottom", "top")
    patches[2]["textposition"] = [  # beyond the front there is room, except beside the axis
        f"{beyond} left" if p.values.get(x, 0.0) >= 0.15 * right else f"{within} right" for p in groups[2]
    ]
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": chart_text(qx.title)}, "tickformat": qx.tick_format, "rangemode": "tozero"},
        "yaxis": {"title": {"text": chart_text(qy.title)}, "tickformat": qy.tick_format},
        "shapes": _limits(run, x, "x") + _limits(run, y, "y"),
        "hovermode": "closest",
    }
    if (shown := _shown(run, groups, y)) is not None:
        layout["yaxis"]["range"] = shown
    return View(qx.title, layout, patches)


def _shown(run: RunFiles, groups: Groups, y: str) -> list[float] | None:
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
    ends = run.front.constraints.get(name, (None, None)) if run.front else (None, None)
    return [
        {"type": "line", f"{axis}0": end, f"{axis}1": end, f"{across}0": 0, f"{across}1": 1, f"{across}ref": "paper"}
        | {"line": {"color": "var(--limit)", "width": 1.5, "dash": "dash"}, "layer": "below"}
        | {"label": {"text": f"limit {chart_text(q.short(end))}", "textangle": 0} | place | font}
        for end in ends
        if end is not None
    ]


def _sentences(run: RunFiles, groups: Groups) -> list[str]:
    sentences = [
        f"Every {quantity(run.score.name).label} in this chart uses weights inherited from the supernet, on validation "
        "data that the search itself looked at: it ranks architectures and flatters the best of them a little. Test "
        "figures of the exported files are further down."
    ]
    if run.front and run.front.constraints and run.search:
        kept = sum(run.feasible(point.values) for point in run.search)
        keep = "keeps" if kept == 1 else "keep"
        sentences.append(f"{kept:,} of {counted(len(run.search), 'evaluated architecture')} {keep} the limits.")
    if run.front and run.front.feasible_share is not None and run.front.feasible_share < 1:
        sentences.append(f"About {100 * run.front.feasible_share:.2g}{THIN}% of the whole space does.")
    for name, (low, high) in (run.front.range if run.front else {}).items():
        q = quantity(name, run.units)
        sentences.append(f"The space reaches from {q.short(low)} to {q.words(high)}.")
    if (shown := _shown(run, groups, run.primary.name)) is not None:
        below = sum(p.values.get(run.primary.name, shown[0]) < shown[0] for p in run.search)
        poor = f"{counted(below, 'poor architecture')} {'lies' if below == 1 else 'lie'}"
        sentences.append(f"{poor} below the picture; double-click it to see {'it' if below == 1 else 'them'}.")
    return sentences
