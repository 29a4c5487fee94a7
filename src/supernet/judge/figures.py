"""Plotly figures of a rank report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from supernet.errors import require
from supernet.judge.clusters import Clusters
from supernet.quantity import TRUE_SCORE, Quantity
from supernet.rank.checks import Floats
from supernet.rank.curves import Curves

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def curves(found: Curves) -> Figure:
    """The lines over the top share k / N, with the range of the trainings, above the random baseline."""
    require("plotly", "report", "Plotting a rank report")
    from plotly import graph_objects as go

    k = found.shown()
    share = k / found.n
    figure = go.Figure()
    for line in found.lines:
        if (line.low < line.high).any():
            edges: dict[str, Any] = {"mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
            figure.add_scatter(x=share, y=line.low[k - 1], **edges)
            figure.add_scatter(x=share, y=line.high[k - 1], fill="tonexty", fillcolor="rgba(99,110,250,0.2)", **edges)
        figure.add_scatter(x=share, y=line.values[k - 1], mode="lines", name=line.name)
    figure.add_scatter(x=share, y=found.random[k - 1], mode="lines", name="random, k / N", line={"dash": "dash"})
    figure.update_layout(xaxis_title="top share k / N, by true score", yaxis_title=found.quantity)
    return figure


def scatter(true: Floats, predicted: Floats, seeds: Sequence[int | str], metric: Quantity) -> Figure:
    """True (N,) against supernet scores (S, N), one colour per training."""
    require("plotly", "report", "Plotting a rank report")
    from plotly import graph_objects as go

    figure = go.Figure()
    for seed, scores in zip(seeds, predicted, strict=True):
        figure.add_scattergl(x=scores, y=true, mode="markers", name=f"seed {seed}", marker={"opacity": 0.5})
    figure.update_layout(xaxis_title="supernet score", yaxis_title=_true(metric))
    return figure


def _true(metric: Quantity) -> str:
    return metric.name if metric.name == TRUE_SCORE.name else f"true {metric.name}"


def clusters(found: Clusters, metric: Quantity) -> Figure:
    """Mean true against mean supernet score of each cluster; the area of a mark is the number of members."""
    require("plotly", "report", "Plotting a rank report")
    from plotly import graph_objects as go

    sizes = [cluster.size for cluster in found.clusters]
    common = [", ".join(f"{name}={option}" for name, option in c.common.items()) for c in found.clusters]
    figure = go.Figure()
    figure.add_scatter(
        x=[cluster.predicted for cluster in found.clusters],
        y=[cluster.true for cluster in found.clusters],
        mode="markers",
        marker={"size": sizes, "sizemode": "area", "sizeref": max(sizes) / 30**2, "sizemin": 3},
        text=[f"{size} architectures<br>{decisions}" for size, decisions in zip(sizes, common, strict=True)],
    )
    figure.update_layout(xaxis_title="mean supernet score", yaxis_title=f"mean {_true(metric)}")
    return figure
