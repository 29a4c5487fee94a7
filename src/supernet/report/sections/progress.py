"""How the search advanced."""

from __future__ import annotations

from collections import Counter
from typing import Any

from supernet.measure.quantity import Quantity
from supernet.report.chart import Chart, View, chart_text, thin
from supernet.report.html import join, note, tag
from supernet.report.run import RunFiles, Values
from supernet.report.section import Section
from supernet.report.statistics import hypervolume
from supernet.report.units import quantity

_LIMIT = 200  # moments at which the dominated area is computed


def progress(run: RunFiles) -> Section | None:
    """Best value so far, dominated area, and feasible architectures per generation."""
    if len(run.search) < 2:
        return None
    best = _best(run)
    if best is None:
        return None
    parts = [best, *filter(None, (_area(run), _feasible(run)))]
    traces: list[dict[str, Any]] = []
    views = []
    total = sum(len(part_traces) for _, _, part_traces in parts)
    for label, layout, part_traces in parts:
        shown = range(len(traces), len(traces) + len(part_traces))
        views.append(View(label, layout, [{"visible": number in shown} for number in range(total)]))
        traces += part_traces
    chart = Chart("chart-progress", "Progress of the search", traces, views, height=320)
    return Section(
        "progress",
        "How the search advanced",
        "Search",
        join([tag("div", {"class": "card"}, chart.html()), note(*_remarks(run))]),
    )


Part = tuple[str, dict[str, Any], list[dict[str, Any]]]


def _best(run: RunFiles) -> Part | None:
    name, better = run.primary.name, max if run.primary.goal == "max" else min
    xs: list[int] = []
    ys: list[float] = []
    dots: dict[bool, list[tuple[int, float]]] = {True: [], False: []}
    for number, point in enumerate(run.search, start=1):
        value = point.values.get(name)
        if value is None:
            continue
        feasible = run.feasible(point.values)
        dots[feasible].append((number, value))
        if feasible:
            xs.append(number)
            ys.append(better(ys[-1], value) if ys else value)
    if not xs:
        return None
    q = quantity(name, run.units)
    traces: list[dict[str, Any]] = [
        {"type": "scatter", "mode": "markers", "name": label, "x": [n for n, _ in pairs], "y": [v for _, v in pairs]}
        | {"marker": {"color": colour, "size": 5, "opacity": 0.6}}
        for label, pairs, colour in (
            ("evaluated", dots[True], "var(--dots)"),
            ("evaluated, breaks a limit", dots[False], "var(--faint)"),
        )
        if pairs
    ]
    line: dict[str, Any] = {"type": "scatter", "mode": "lines", "name": "best so far"}
    line |= {"x": [*xs, len(run.search)], "y": [*ys, ys[-1]]}
    line |= {"line": {"color": "var(--accent)", "width": 2.5, "shape": "hv"}}
    layout = _axes(q.title, q.tick_format) | {"hovermode": "closest"}
    return f"best {q.label} so far", layout, [*traces, line]


def _area(run: RunFiles) -> Part | None:
    """The share of the rectangle between the worst and the best values seen that the front dominates."""
    objectives = run.front.objectives if run.front else ()
    known = [(n, _gains(p.values, objectives)) for n, p in enumerate(run.search, 1) if run.feasible(p.values)]
    gains = [(n, gain) for n, gain in known if gain is not None]
    if len(objectives) != 2 or len(gains) < 2:
        return None
    (worst_a, best_a), (worst_b, best_b) = (
        (min(gain[axis] for _, gain in gains), max(gain[axis] for _, gain in gains)) for axis in (0, 1)
    )
    whole = (best_a - worst_a) * (best_b - worst_b)
    if whole <= 0:
        return None
    xs, ys = [], []
    for index in thin(len(gains), _LIMIT):
        xs.append(gains[index][0])
        ys.append(hypervolume([gain for _, gain in gains[: index + 1]], (worst_a, worst_b)) / whole)
    line = {"type": "scatter", "mode": "lines", "name": "dominated area", "x": xs, "y": ys, "showlegend": False}
    line |= {"line": {"color": "var(--accent)", "width": 2.5, "shape": "hv"}}
    return "hypervolume of the front", _axes("share of the area between worst and best seen", ".0%"), [line]


def _gains(values: Values, objectives: tuple[Quantity, ...]) -> tuple[float, float] | None:
    if len(objectives) != 2 or any(o.name not in values for o in objectives):
        return None
    first, second = (values[o.name] if o.goal == "max" else -values[o.name] for o in objectives)
    return first, second


def _feasible(run: RunFiles) -> Part | None:
    generations = sorted({p.generation for p in run.search if p.generation is not None})
    if len(generations) < 2:
        return None
    kept = Counter(p.generation for p in run.search if run.feasible(p.values))
    missed = Counter(p.generation for p in run.search if not run.feasible(p.values))
    bars = [("keeps the limits", kept, "var(--late)"), ("breaks a limit", missed, "var(--faint)")]
    traces: list[dict[str, Any]] = [
        {"type": "bar", "name": name, "x": generations, "y": [count[g] for g in generations]}
        | {"marker": {"color": colour}}
        for name, count, colour in bars
        if name == "keeps the limits" or missed
    ]
    layout = _axes("architectures", "") | {"barmode": "stack"}
    layout["xaxis"] = {"title": {"text": "generation"}}
    return "architectures per generation", layout, traces


def _axes(y: str, tick_format: str) -> dict[str, Any]:
    return {
        "xaxis": {"title": {"text": "evaluated architectures"}},
        "yaxis": {"title": {"text": chart_text(y)}, "tickformat": tick_format},
        "hovermode": "x unified",
    }


def _remarks(run: RunFiles) -> list[str]:
    kept = [(n, p.values) for n, p in enumerate(run.search, 1) if run.feasible(p.values)]
    ranked = [(n, values[run.primary.name]) for n, values in kept if run.primary.name in values]
    sign = 1 if run.primary.goal == "max" else -1
    number, value = max(ranked, key=lambda pair: sign * pair[1])
    label = quantity(run.primary.name, run.units)
    sentences = [
        f"The best {label.label}, {label.short(value)}, was found by evaluation {number:,} of {len(run.search):,}. "
    ]
    if run.front and run.front.stopped == "exhausted":
        sentences.append("The search ended because it found no further new architecture within the limits. ")
    if run.front and run.front.stopped == "stalled":
        sentences.append("The search ended because it kept proposing architectures it knew already. ")
    if number > 0.9 * len(run.search):
        sentences.append("It came late: a longer search might find more. ")
    different = len({repr(sorted(p.arch.items(), key=lambda kv: kv[0])) for p in run.search})
    if different < len(run.search):
        sentences.append(f"{different:,} of the evaluated architectures are different ones. ")
    return sentences
