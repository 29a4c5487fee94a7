"""The charts of the ranking: scores against the truth, the top, the families, and the way there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from supernet.report.chart import Chart, View, chart_text, thin
from supernet.report.html import Html
from supernet.report.judgement import Curves, Judgement, Scored
from supernet.report.run import RunFiles
from supernet.report.section import card
from supernet.report.units import quantity

DRAWN = 2000
"""Points of the scatter plot at most."""

_SUPERNET = "supernet"
_OFTEN_HIDDEN = "MACs"  # where it ranks as parameter count does, both lines are to be seen
_FEW = 10  # points of a picture of their own at least
_HEIGHT = 340
_COLOURS = ("var(--accent)", "var(--late)", "var(--third)", "var(--fourth)", "var(--fifth)")
_HOVER = {"hovertemplate": "%{hovertext}<extra></extra>"}
_ALONG = {
    "kendall_tau": "Kendall τ",
    "spearman_rho": "Spearman ρ",
    "tau_in_true_top@0.2": "τ within the true top 20 %",
    "top_id_rate@0.2": "top 20 % ID rate",
}


def scatter(judged: Judgement) -> Html | None:
    """True score against the supernet's, or against what a baseline gives."""
    if not judged.scores:
        return None
    shown = [judged.scores[place] for place in thin(len(judged.scores), DRAWN)]
    trainings = [name for name in shown[0].scores if name.startswith(_SUPERNET)]
    baselines = [name for name in shown[0].scores if name not in trainings]
    true = [row.true for row in shown]
    traces = []
    for number, name in enumerate([*trainings, *baselines]):
        colour = "var(--late)" if name in baselines else _COLOURS[number % len(_COLOURS)]
        traces.append(
            {"type": "scatter", "mode": "markers", "name": chart_text(name.replace(f"{_SUPERNET} ", "seed "))}
            | {"x": [row.scores[name] for row in shown], "y": true, "customdata": list(range(len(shown)))}
            | {"marker": {"size": 6, "opacity": 0.6, "color": colour}, "showlegend": len(trainings) > 1}
            | _HOVER
        )

    def view(label: str, title: str, drawn: Sequence[str], rows: Sequence[Scored]) -> View:
        x = _axis(title, [row.scores[name] for row in rows for name in drawn])
        y = _axis("true score", [row.true for row in rows])
        layout = {"xaxis": x, "yaxis": y, "hovermode": "closest"}
        return View(label, layout, [{"visible": name in drawn} for name in [*trainings, *baselines]])

    weights = "supernet score"
    views = [view(_SUPERNET, weights, trainings, shown)]
    best = sorted(shown, key=lambda row: -row.true)[: len(shown) // 5]
    if len(best) >= _FEW:
        views.append(view("supernet, the truly best fifth", weights, trainings, best))
    views += [view(name, name, [name], shown) for name in baselines]
    items = [_item(row) for row in shown]
    title = "True score against the score with the supernet's weights"
    chart = Chart("chart-scatter", title, traces, views, menu="Horizontal axis", height=_HEIGHT, items=items)
    return card("Scores against the truth", chart.html())


def top_id(judged: Judgement) -> Html | None:
    """Which share of the best is recognised, over how many count as the best."""
    if judged.top_id is None:
        return None
    return card("Are the best recognised?", _curves("chart-top-id", "top-architecture ID rate", judged.top_id))


def mass(judged: Judgement) -> Html | None:
    """How likely the architecture weights draw one of the best."""
    if judged.mass is None:
        return None
    return card("Are the best drawn?", _curves("chart-mass", "cumulative sampling probability", judged.mass))


def clusters(judged: Judgement) -> Html | None:
    """Mean truth against mean supernet score of families of similar architectures."""
    if judged.families is None or not judged.families.clusters:
        return None
    found = judged.families.clusters
    sizes = [family.size for family in found]
    marker: dict[str, Any] = {"size": sizes, "sizemode": "area", "sizeref": max(sizes) / 24**2, "sizemin": 4}
    marker |= {"opacity": 0.6, "color": "var(--late)", "line": {"color": "var(--card)", "width": 1}}
    predicted, true = [family.predicted for family in found], [family.true for family in found]
    trace: dict[str, Any] = {"type": "scatter", "mode": "markers", "x": predicted, "y": true, "marker": marker}
    trace |= {"name": "family", "customdata": list(range(len(found))), "showlegend": False} | _HOVER
    items = [
        _words(f"{family.size} similar architectures", {"mean truth": family.true, "mean score": family.predicted})
        | {"arch": family.common}
        for family in found
    ]
    layout = {
        "xaxis": _axis("mean supernet score", predicted),
        "yaxis": _axis("mean true score", true),
        "hovermode": "closest",
    }
    title = "Mean true score against mean supernet score of families of similar architectures"
    chart = Chart("chart-clusters", title, [trace], [View("", layout)], height=_HEIGHT, items=items)
    return card("Families of similar architectures", chart.html())


def along(run: RunFiles) -> Html | None:
    """The rank figures over the steps of the training."""
    lines: dict[str, tuple[list[int], list[float]]] = {}
    for record in run.train:
        for name in (*_ALONG, "kendall_tau_params"):
            if f"rank/{name}" in record.scalars:
                steps, values = lines.setdefault(name, ([], []))
                steps.append(record.step)
                values.append(record.scalars[f"rank/{name}"])
    traces = []
    for (name, label), colour in zip(_ALONG.items(), _COLOURS, strict=False):
        if name in lines:
            traces.append(_line(label, *lines[name], colour) | {"mode": "lines+markers", "marker": {"size": 5}})
    if not traces:
        return None
    if "kendall_tau_params" in lines:
        traces.append(_line("τ of parameter count", *lines["kendall_tau_params"], "var(--muted)", dash="dash"))
    layout = {
        "xaxis": {"title": {"text": "step"}, "tickformat": "~s"},
        "yaxis": {"title": {"text": "agreement with the truth"}},
        "hovermode": "x unified",
        "showlegend": True,
    }
    chart = Chart("chart-rank", "Rank figures by step of the training", traces, [View("", layout)], height=_HEIGHT)
    return card("The ranking while training", chart.html())


def _curves(identifier: str, title: str, curves: Curves) -> Html:
    traces: list[dict[str, Any]] = []
    for line, colour in zip(curves.lines, _COLOURS, strict=False):
        if line.low != line.high:
            edge = _line(f"{line.name}, range of the trainings", curves.share, line.low, "var(--faint)")
            edge |= {"showlegend": False, "hoverinfo": "skip"}
            traces += [edge, edge | {"y": line.high}]
        dash = "dot" if line.name == _OFTEN_HIDDEN else "solid"
        traces.append(_line(line.name, curves.share, line.values, colour, dash=dash))
    traces.append(_line("random order", curves.share, curves.random, "var(--muted)", dash="dash"))

    def view(label: str, kind: str) -> View:
        x: dict[str, Any] = {"title": {"text": "top share, k / N"}, "type": kind}
        x |= {"tickformat": ".3~%"} if kind == "linear" else {"tickformat": ".2~%", "dtick": 1}
        y = {"title": {"text": title}, "tickformat": ".0%", "range": [-0.02, 1.02]}
        return View(label, {"xaxis": x, "yaxis": y, "hovermode": "x unified"})

    views = [view("linear", "linear"), view("logarithmic", "log")]
    name = f"{title[:1].upper()}{title[1:]} over the share of architectures that count as the best"
    return Chart(identifier, name, traces, views, menu="Scale", height=_HEIGHT).html()


def _line(name: str, x: Sequence[float], y: Sequence[float], colour: str, *, dash: str = "solid") -> dict[str, Any]:
    """A trace; its points are of no interest on their own."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": chart_text(name),
        "x": x,
        "y": y,
        "line": {"color": colour, "width": 2, "dash": dash},
    }


def _item(row: Scored) -> dict[str, Any]:
    return _words("Architecture", {"truth": row.true} | dict(row.scores)) | {"arch": row.arch}


def _words(title: str, values: Mapping[str, float]) -> dict[str, Any]:
    shown = {name: (quantity("accuracy") if 0 <= value <= 1 else quantity("score")) for name, value in values.items()}
    return {
        "title": title,
        "values": [[name, shown[name].short(value), shown[name].exact(value)] for name, value in values.items()],
    }


def _axis(title: str, values: Sequence[float]) -> dict[str, Any]:
    """An axis over these values: shares between 0 and 1 are accuracies, large numbers get a scale letter."""
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 1.0
    shares = low >= 0 and high <= 1
    return {
        "title": {"text": chart_text(title)},
        "tickformat": ".1~%" if shares else "~s" if high >= 1000 else "",
        "range": [low - margin, high + margin],
    }
