"""How the training went."""

from __future__ import annotations

import math
from typing import Any

from supernet.report.chart import Chart, View, chart_text, thin
from supernet.report.html import Html, join, note, tag
from supernet.report.run import RunFiles
from supernet.report.section import Section, card
from supernet.report.sections.candidates import candidates
from supernet.report.statistics import smooth
from supernet.report.units import quantity

_LIMIT = 2000  # points drawn per curve
_COLOURS = ("var(--late)", "var(--accent)", "var(--third)", "var(--fourth)", "var(--fifth)")

Series = tuple[list[int], list[float]]


def training(run: RunFiles) -> Section | None:
    """Loss, accuracy of evaluated subnets, learning rate, and whatever else was logged."""
    series = _series(run)
    accuracies = {name: line for name, line in series.items() if name.split("/")[0] == "accuracy"}
    elsewhere = ("loss", "lr", *(name for name in series if name.startswith("rank/")))
    others = {n: s for n, s in series.items() if n not in accuracies and n not in elsewhere}
    charts = []
    notes: list[str] = []
    if "loss" in series:
        span = max(1, len(series["loss"][0]) // 25)
        charts.append(_loss(series["loss"], span))
        if span > 1:
            notes.append(f"Smoothed: moving average over about {span} records. ")
        if bad := sum(not math.isfinite(value) for value in series["loss"][1]):
            notes.append(f"The loss was not a finite number in {bad:,} of {len(series['loss'][1]):,} records. ")
    if accuracies:
        charts.append(_accuracy(accuracies))
    if "lr" in series:
        charts.append(_single("chart-lr", "Learning rate", {"lr": series["lr"]}))
    if others:
        charts.append(_single("chart-scalars", "Other scalars", others))
    if not charts:
        return None
    if any(len(steps) > _LIMIT for steps, _ in series.values()):
        notes.append(f"Of longer logs {_LIMIT:,} evenly spread records are drawn.")
    warnings = [tag("p", {"class": "warning", "role": "note"}, sentence) for sentence in run.warnings]
    grid = tag("div", {"class": "grid"}, *charts)
    body = [*warnings, grid, note(*notes) if notes else "", candidates(run)]
    return Section("training", "How it was trained", "Training", join(body))


def _series(run: RunFiles) -> dict[str, Series]:
    series: dict[str, Series] = {}
    for record in run.train:
        for name, value in record.scalars.items():
            steps, values = series.setdefault(name, ([], []))
            steps.append(record.step)
            values.append(value)
    return series


def _line(name: str, line: Series, colour: str) -> dict[str, Any]:
    steps, values = line
    kept = thin(len(steps), _LIMIT)
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(kept) <= 40 else "lines",
        "name": chart_text(name),
        "x": [steps[i] for i in kept],
        "y": [values[i] for i in kept],
        "line": {"color": colour, "width": 2},
        "marker": {"size": 5},
    }


def _axes(y: str, tick_format: str = "") -> dict[str, Any]:
    return {
        "xaxis": {"title": {"text": "step"}, "tickformat": "~s"},
        "yaxis": {"title": {"text": chart_text(y)}, "tickformat": tick_format},
        "hovermode": "x unified",
    }


def _loss(line: Series, span: int) -> Html:
    steps, values = line
    raw = _line("every record", line, "var(--faint)") | {"mode": "lines"}
    raw["line"] = {"color": "var(--faint)", "width": 1}
    smoothed = _line("smoothed", (steps, smooth(values, span)), "var(--late)") | {"mode": "lines"}
    linear, log = _axes("loss"), _axes("loss")
    log["yaxis"] = log["yaxis"] | {"type": "log"}
    views = [View("linear", linear)]
    if all(value > 0 for value in values if math.isfinite(value)):
        views.append(View("logarithmic", log))
    traces = [raw, smoothed] if span > 1 else [_line("loss", line, "var(--late)") | {"showlegend": False}]
    chart = Chart("chart-loss", "Training loss by step", traces, views, menu="Scale", height=300)
    return card("Loss", chart.html())


def _accuracy(lines: dict[str, Series]) -> Html:
    traces = [
        _line(name.removeprefix("accuracy/"), line, _COLOURS[number % len(_COLOURS)])
        for number, (name, line) in enumerate(lines.items())
    ]
    view = View("", _axes("validation accuracy", ".1~%") | {"showlegend": True})
    chart = Chart("chart-accuracy", "Accuracy by step", traces, [view], height=300)
    return card("Accuracy of subnets", chart.html())


def _single(identifier: str, title: str, lines: dict[str, Series]) -> Html:
    traces = [_line(name, line, "var(--late)") | {"showlegend": False} for name, line in lines.items()]
    views = [View(name, _axes(quantity(name).label), [{"visible": other == name} for other in lines]) for name in lines]
    return card(title, Chart(identifier, f"{title} by step", traces, views, height=240).html())
