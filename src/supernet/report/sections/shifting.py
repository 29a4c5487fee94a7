"""How the supernet shifted while it was searched."""

from __future__ import annotations

from typing import Any

from supernet.report.charts import Chart, View, axes, line
from supernet.report.run_files import RunFiles

_LINES = (
    ("loss", "Training loss of the candidates", "loss"),
    ("order/found", "Global order: good architectures among the supernet's first", "architectures"),
    ("order/local_tau", "Local order: Kendall's τ among the good ones", "τ"),
)


def shifting(run: RunFiles) -> dict[str, Any] | None:
    """Loss of the candidates, and the order of good and poor architectures, by generation."""
    values = {
        name: {record.step: record.scalars[name] for record in run.shifted if name in record.scalars}
        for name, _, _ in _LINES
    }
    charts = [_chart(name, values[name], title, label) for name, title, label in _LINES if len(values[name]) > 1]
    if not charts:
        return None
    known = {name: list(found.values()) for name, found in values.items() if len(found) > 1}
    sentences = []
    if found := known.get("order/found"):
        sentences.append(
            f"Of the supernet's first architectures {found[0]:g} {'was' if found[0] == 1 else 'were'} good before, and "
            f"{found[-1]:g} {'is' if found[-1] == 1 else 'are'} at last."
        )
    if tau := known.get("order/local_tau"):
        sentences.append(f"Among the good ones τ went from {tau[0]:.2f} to {tau[-1]:.2f}.")
    return {"title": "How the supernet shifted", "charts": charts, "sentences": sentences}


def _chart(name: str, values: dict[int, float], title: str, label: str) -> Chart:
    trace = line(label, list(values), list(values.values()), "var(--accent)")
    trace |= {"mode": "lines+markers", "marker": {"size": 6}, "showlegend": False}
    view = View("", axes("generation", label))
    identifier = f"chart-shifting-{name.replace('/', '-')}"
    return Chart(identifier, f"{title} by generation", [trace], [view], card=title, height=240)
