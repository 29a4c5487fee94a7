"""How the supernet shifted while it was searched."""

from __future__ import annotations

from typing import Any

from supernet.report.chart import Chart, View, chart_text
from supernet.report.html import Html, join, note, tag
from supernet.report.run import RunFiles
from supernet.report.section import Section, card

_FOUND, _TAU = "order/found", "order/local_tau"


def shifting(run: RunFiles) -> Section | None:
    """Loss of the candidates, and the order of good and poor architectures, by generation."""
    charts = [
        _line(run, name, title, label)
        for name, title, label in (
            ("loss", "Training loss of the candidates", "loss"),
            (_FOUND, "Global order: good architectures among the supernet's first", "architectures"),
            (_TAU, "Local order: Kendall's τ among the good ones", "τ"),
        )
        if len(_values(run, name)) > 1
    ]
    if not charts:
        return None
    body = [tag("div", {"class": "grid"}, *charts), note(*_remarks(run))]
    return Section("shifting", "How the supernet shifted", "Shifting", join(body))


def _values(run: RunFiles, name: str) -> dict[int, float]:
    return {record.step: record.scalars[name] for record in run.shifted if name in record.scalars}


def _line(run: RunFiles, name: str, title: str, label: str) -> Html:
    values = _values(run, name)
    trace: dict[str, Any] = {"type": "scatter", "mode": "lines+markers", "name": chart_text(label)}
    trace |= {"x": list(values), "y": list(values.values()), "showlegend": False}
    trace |= {"line": {"color": "var(--accent)", "width": 2}, "marker": {"size": 6}}
    layout = {"xaxis": {"title": {"text": "generation"}}, "yaxis": {"title": {"text": chart_text(label)}}}
    identifier = f"chart-shifting-{name.replace('/', '-')}"
    return card(title, Chart(identifier, f"{title} by generation", [trace], [View("", layout)], height=240).html())


def _remarks(run: RunFiles) -> list[str]:
    """What changed from the first to the last look; without order nothing is said."""
    sentences = []
    for name, what in (
        (_FOUND, "Of the supernet's first architectures {0:g} were good before, and {1:g} are at last. "),
        (_TAU, "Among the good ones τ went from {0:.2f} to {1:.2f}. "),
    ):
        values = list(_values(run, name).values())
        if len(values) > 1:
            sentences.append(what.format(values[0], values[-1]))
    return sentences
