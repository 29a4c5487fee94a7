"""How the training went, and how often each candidate was trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from supernet.report.charts import COLOURS, Chart, View, axes, line, smooth, thin
from supernet.report.run_files import RunFiles
from supernet.report.units import counted, plain, quantity

_LIMIT = 2000  # points drawn per curve

_LAYER = "layer/"
_OF_CONFLICT = (
    "Gradients that agree: the cosine between the gradients of two subnets on what they share, and of a subnet's with "
    "the momentum of the optimiser. Below 0, what serves one harms the other."
)

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
    conflicts = {n.removeprefix("conflict/"): s for n, s in series.items() if n.startswith("conflict/")}
    shown = (*accuracies, "loss", "lr")
    others = {n: s for n, s in series.items() if n not in shown and not n.startswith(("rank/", "conflict/"))}
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
    if conflicts:
        charts.append(_conflict(conflicts))
        sentences.append(_OF_CONFLICT)
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


def _conflict(series: Mapping[str, Series]) -> Chart:
    """Cosines between gradients: the means first, then all layers together, then each layer."""
    layers = [name for name in series if name.startswith(_LAYER)]
    means = [name for name in series if name not in layers]
    names = [*means, *layers]
    traces = [
        _trace(name.removeprefix(_LAYER), series[name], COLOURS[number % len(COLOURS)])
        for number, name in enumerate(names)
    ]
    layout = axes("step", "cosine", showlegend=True)

    def view(label: str, visible: Sequence[str]) -> View:
        return View(label, layout, [{"visible": name in visible} for name in names])

    views = [view("all together", means)] if means else []
    views += [view("every layer", layers)] if layers else []
    views += [view(name.removeprefix(_LAYER), [name]) for name in layers]
    title = "Cosine between the gradients of subnets by step"
    return Chart("chart-conflict", title, traces, views, card="Gradients that agree", height=300)


def _single(identifier: str, title: str, lines: dict[str, Series]) -> Chart:
    traces = [_trace(name, series, "var(--late)", showlegend=False) for name, series in lines.items()]
    views = [
        View(name, axes("step", quantity(name).label), [{"visible": other == name} for other in lines])
        for name in lines
    ]
    return Chart(identifier, f"{title} by step", traces, views, card=title, height=240)
