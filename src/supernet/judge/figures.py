"""Plotly figures of a rank report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supernet.errors import require
from supernet.judge.clusters import Clusters
from supernet.rank.curves import Curves

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from supernet.judge.report import RankReport


def figures(report: RankReport) -> dict[str, Figure]:
    """`"top_id"`, `"scatter"`, and `"mass"` and `"clusters"` where the report has them.

    Raises:
        RunError: plotly is not installed (extra "report").
    """
    require("plotly", "report", "Plotting a rank report")
    drawn = {"top_id": curve_figure(report.top_id), "scatter": scatter_figure(report)}
    if report.mass is not None:
        drawn["mass"] = curve_figure(report.mass)
    if report.clusters is not None:
        drawn["clusters"] = cluster_figure(report.clusters)
    return drawn


def curve_figure(curves: Curves) -> Figure:
    """The lines over the top share k / N, with the range of the trainings, above the random baseline."""
    from plotly import graph_objects as go

    k = curves.shown()
    share = k / curves.n
    figure = go.Figure()
    for line in curves.lines:
        if (line.low < line.high).any():
            edges: dict[str, Any] = {"mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
            figure.add_scatter(x=share, y=line.low[k - 1], **edges)
            figure.add_scatter(x=share, y=line.high[k - 1], fill="tonexty", fillcolor="rgba(99,110,250,0.2)", **edges)
        figure.add_scatter(x=share, y=line.values[k - 1], mode="lines", name=line.name)
    figure.add_scatter(x=share, y=curves.random[k - 1], mode="lines", name="random, k / N", line={"dash": "dash"})
    figure.update_layout(xaxis_title="top share k / N, by true score", yaxis_title=curves.quantity)
    return figure


def scatter_figure(report: RankReport) -> Figure:
    """True against supernet scores, one colour per training."""
    from plotly import graph_objects as go

    figure = go.Figure()
    for seed, scores in zip(report.seeds, report.predicted, strict=True):
        figure.add_scattergl(x=scores, y=report.true, mode="markers", name=f"seed {seed}", marker={"opacity": 0.5})
    figure.update_layout(xaxis_title="supernet score", yaxis_title="true score")
    return figure


def cluster_figure(clusters: Clusters) -> Figure:
    """Mean true against mean supernet score of each cluster; the area of a mark is the number of members."""
    from plotly import graph_objects as go

    sizes = [cluster.size for cluster in clusters.clusters]
    common = [", ".join(f"{name}={option}" for name, option in c.common.items()) for c in clusters.clusters]
    figure = go.Figure()
    figure.add_scatter(
        x=[cluster.predicted for cluster in clusters.clusters],
        y=[cluster.true for cluster in clusters.clusters],
        mode="markers",
        marker={"size": sizes, "sizemode": "area", "sizeref": max(sizes) / 30**2, "sizemin": 3},
        text=[f"{size} architectures<br>{decisions}" for size, decisions in zip(sizes, common, strict=True)],
    )
    figure.update_layout(xaxis_title="mean supernet score", yaxis_title="mean true score")
    return figure
