"""How the training went, and how often each candidate was trained."""

from __future__ import annotations

import math
from typing import Any

from supernet.report.charts import COLOURS, Chart, View, axes, line, smooth, thin
from supernet.report.run_files import RunFiles
from supernet.report.units import counted, plain, quantity

_LIMIT = 2000  # points drawn per curve

Series = tuple[list[int], list[float]]


def training(run: RunFiles) -> dict[str, Any] | None:
    """Loss, accuracy of evaluated subnets, learning rate, and whatever else was logged."""
    series: dict[str, Series] = {}
    for record in run.train:
        for name, value in record.scalars.items():
            steps, values = series.setdefault(name, ([], []))
            steps.append(record.step)
            values.append(value)
    score = run.score.name
    named = quantity(score, run.units)
    accuracies = {name: s for name, s in series.items() if name.split("/")[0] == score}
    others = {n: s for n, s in series.items() if n not in (*accuracies, "loss", "lr") and not n.startswith("rank/")}
    charts = []
    sentences: list[str] = []
    if "loss" in series:
        losses = series["loss"][1]
        span = max(1, len(losses) // 25)
        charts.append(_loss(series["loss"], span))
        if span > 1:
            sentences.append(f"Smoothed: moving average over about {span} records.")
        if bad := sum(not math.isfinite(value) for value in losses):
            sentences.append(f"The loss was not a finite number in {bad:,} of {counted(len(losses), 'record')}.")
    if accuracies:
        traces = [
            _trace(name.removeprefix(f"{score}/"), s, COLOURS[number % len(COLOURS)])
            for number, (name, s) in enumerate(accuracies.items())
        ]
        view = View("", axes("step", f"validation {named.label}", named.tick_format, showlegend=True))
        title, card = f"{named.title} by step", f"{named.title} of subnets"
        charts.append(Chart("chart-accuracy", title, traces, [view], card=card, height=300))
    if "lr" in series:
        charts.append(_single("chart-lr", "Learning rate", {"lr": series["lr"]}))
    if others:
        charts.append(_single("chart-scalars", "Other scalars", others))
    if not charts:
        return None
    if any(len(steps) > _LIMIT for steps, _ in series.values()):
        sentences.append(f"Of longer logs {_LIMIT:,} evenly spread records are drawn.")
    return {"title": "How it was trained", "charts": charts, "sentences": sentences} | _candidates(run)


def _candidates(run: RunFiles) -> dict[str, Any]:
    """How often each option was trained, and which never was."""
    never = [
        f"{row.choice} = {plain(option)}"
        for row in run.counts
        for option, count in zip(row.options, row.paths, strict=True)
        if count == 0
    ]
    more = f" and {len(never) - 5} more" if len(never) > 5 else ""
    return {
        "candidates": [(row, max(row.paths) or 1) for row in run.counts if row.paths],
        "counted_any": any(any(row.paths) for row in run.counts),
        "never": ", ".join(never[:5]) + more,
    }


def _trace(name: str, series: Series, colour: str, **changes: Any) -> dict[str, Any]:
    steps, values = series
    kept = thin(len(steps), _LIMIT)
    trace = line(name, [steps[i] for i in kept], [values[i] for i in kept], colour)
    return trace | {"mode": "lines+markers" if len(kept) <= 40 else "lines", "marker": {"size": 5}} | changes


def _loss(series: Series, span: int) -> Chart:
    steps, values = series
    if span > 1:
        raw = _trace("every record", series, "var(--faint)", mode="lines")
        raw["line"] = raw["line"] | {"width": 1}
        traces = [raw, _trace("smoothed", (steps, smooth(values, span)), "var(--late)", mode="lines")]
    else:
        traces = [_trace("loss", series, "var(--late)", showlegend=False)]
    linear, log = axes("step", "loss"), axes("step", "loss")
    log["yaxis"] |= {"type": "log"}
    views = [View("linear", linear)]
    if all(value > 0 for value in values if math.isfinite(value)):
        views.append(View("logarithmic", log))
    return Chart("chart-loss", "Training loss by step", traces, views, card="Loss", menu="Scale", height=300)


def _single(identifier: str, title: str, lines: dict[str, Series]) -> Chart:
    traces = [_trace(name, series, "var(--late)", showlegend=False) for name, series in lines.items()]
    views = [
        View(name, axes("step", quantity(name).label), [{"visible": other == name} for other in lines])
        for name in lines
    ]
    return Chart(identifier, f"{title} by step", traces, views, card=title, height=240)
