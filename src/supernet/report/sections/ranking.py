"""How far the supernet's ranking agrees with networks trained alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supernet.io.schema import Curves, Families, Family, Figure, Judged, Standing
from supernet.judge.report_rows import MASS
from supernet.quantity import TRUE_SCORE
from supernet.report.charts import COLOURS, HOVER, Chart, View, axes, chart_text, line, thin
from supernet.report.run_files import RunFiles, Scored
from supernet.report.units import Quantity, counted, declared, quantity

_DRAWN = 2000  # points of the scatter plot at most
_FEW = 10  # points of a picture of their own at least
_MAIN = (
    *("kendall_tau", "spearman_rho", "top_id_rate", "precision", "ndcg", "tau_in_true_top"),
    *("best_rank", "regret", MASS),
)
_SUPERNET = "supernet"
_BASELINES = {"parameter count": quantity("params"), "MACs": quantity("macs")}
_NUMBER = quantity("score")
_OFTEN_HIDDEN = "MACs"  # where it ranks as parameter count does, both lines are to be seen
_ALONG = {
    "kendall_tau": "Kendall τ",
    "spearman_rho": "Spearman ρ",
    "tau_in_true_top@0.2": "τ within the true top 20 %",
    "top_id_rate@0.2": "top 20 % ID rate",
}


def ranking(run: RunFiles) -> dict[str, Any] | None:
    """The verdict in sentences, the charts, and every measure beside the rankings that cost nothing."""
    judged, followed = run.judgement, _along(run)
    if judged is None and followed is None:
        return None
    charts: list[Chart | None] = [followed]
    if judged is not None:
        mass, clusters = judged.mass, judged.clusters
        charts = [
            _scatter(run.scores, judged) if run.scores else None,
            _curves("chart-top-id", "Are the best recognised?", "top-architecture ID rate", judged.top_id),
            _curves("chart-mass", "Are the best drawn?", mass.quantity if mass else "", mass),
            _clusters(clusters, judged) if clusters and clusters.clusters else None,
            followed,
        ]
    return {
        "title": "Is the ranking right?",
        "judged": judged,
        "truth": judged.truth.removeprefix("Truth(").removesuffix(")") if judged else "",
        "charts": [chart for chart in charts if chart is not None],
        "drawn": _DRAWN,
        "derived": _derived(judged.derived) if judged and judged.derived else [],
    } | (_measures(judged) if judged else {})


def _measures(judged: Judged) -> dict[str, Any]:
    """The main measures, and the others on demand: names, and a cell for every ranking."""
    figures = judged.figures
    labels = {item.measure: item.label for item in judged.measures} | {MASS: "Sampling mass of the true top 5 %"}
    rankings = list(dict.fromkeys(figure.ranking for figure in figures))
    found = {(figure.measure, figure.ranking): figure for figure in figures}
    rows = {
        measure: (labels.get(measure, measure), [_cell(found.get((measure, ranking))) for ranking in rankings])
        for measure in dict.fromkeys(figure.measure for figure in figures)
    }
    main = [measure for measure in rows if measure.startswith(_MAIN)] or list(rows)
    return {
        "rankings": rankings,
        "main": [rows[measure] for measure in main],
        "rest": [row for measure, row in rows.items() if measure not in main],
    }


def _derived(found: Standing) -> list[tuple[str, list[tuple[float, str]]]]:
    """The derived architecture and a random one: values, and as they are written."""
    figures = {
        "derived by the method": (found.true, found.rank, found.regret),
        "a random one, expected": (found.random_true, found.random_rank, found.random_regret),
    }
    return [
        (name, [(true, f"{true:.4g}"), (rank, f"{rank:,.0f}"), (regret, f"{regret:.3g}")])
        for name, (true, rank, regret) in figures.items()
    ]


def _cell(figure: Figure | None) -> tuple[float, str, str] | None:
    """The value, as it is written, and its interval."""
    if figure is None or figure.value is None:
        return None
    written = "{:.3g}".format if figure.measure.startswith("regret") else _number  # in the unit of the true scores
    interval = ""
    if figure.low is not None and figure.high is not None:
        interval = f"{written(figure.low)} … {written(figure.high)}"
    return figure.value, written(figure.value), interval


def _number(value: float) -> str:
    """Two decimals where these are three digits or fewer, and no negative zero."""
    text = f"{value:.2f}" if abs(value) < 9.995 else f"{value:.1f}" if abs(value) < 99.95 else f"{value:,.0f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def _scatter(scores: Sequence[Scored], judged: Judged) -> Chart:
    """True score against the supernet's, or against what a baseline gives."""
    by, metric = declared(judged.score), declared(judged.metric)
    ours = f"{by.label} in the supernet"
    shown = [scores[place] for place in thin(len(scores), _DRAWN)]
    trainings = [name for name in shown[0].scores if name.startswith(_SUPERNET)]
    baselines = [name for name in shown[0].scores if name not in trainings]
    true = [row.true for row in shown]
    written = dict.fromkeys(trainings, by) | {name: _BASELINES.get(name, _NUMBER) for name in baselines}
    traces = [
        {"type": "scatter", "mode": "markers", "name": chart_text(name.replace(f"{_SUPERNET} ", "seed "))}
        | {"x": [row.scores[name] for row in shown], "y": true, "customdata": list(range(len(shown)))}
        | {"marker": {"size": 6, "opacity": 0.6, "color": colour}, "showlegend": len(trainings) > 1}
        | HOVER
        for number, name in enumerate([*trainings, *baselines])
        for colour in ["var(--late)" if name in baselines else COLOURS[number % len(COLOURS)]]
    ]

    def view(label: str, title: str, drawn: Sequence[str], rows: Sequence[Scored]) -> View:
        x = _axis(title, [row.scores[name] for row in rows for name in drawn], written[drawn[0]])
        y = _axis(_true(metric), [row.true for row in rows], metric)
        layout = {"xaxis": x, "yaxis": y, "hovermode": "closest"}
        return View(label, layout, [{"visible": name in drawn} for name in [*trainings, *baselines]])

    views = [view(_SUPERNET, ours, trainings, shown)]
    best = sorted(shown, key=lambda row: -judged.metric.sign * row.true)[: len(shown) // 5]
    if len(best) >= _FEW:
        views.append(view("supernet, the truly best fifth", ours, trainings, best))
    views += [view(name, name, [name], shown) for name in baselines]
    return Chart(
        "chart-scatter",
        "True score against the score with the supernet's weights",
        traces,
        views,
        card="Scores against the truth",
        menu="Horizontal axis",
        items=[
            _item(
                "Architecture",
                [("truth", metric, row.true), *((of, written[of], v) for of, v in row.scores.items())],
                row,
            )
            for row in shown
        ],
    )


def _clusters(families: Families, judged: Judged) -> Chart:
    """Mean truth against mean supernet score of families of similar architectures."""
    found = families.clusters
    sizes = [family.size for family in found]
    marker: dict[str, Any] = {"size": sizes, "sizemode": "area", "sizeref": max(sizes) / 24**2, "sizemin": 4}
    marker |= {"opacity": 0.6, "color": "var(--late)", "line": {"color": "var(--card)", "width": 1}}
    by, metric = declared(judged.score), declared(judged.metric)
    predicted, true = [family.predicted for family in found], [family.true for family in found]
    trace: dict[str, Any] = {"type": "scatter", "mode": "markers", "x": predicted, "y": true, "marker": marker}
    trace |= {"name": "family", "customdata": list(range(len(found))), "showlegend": False} | HOVER
    items = [
        _item(
            counted(family.size, "similar architecture"),
            [("mean truth", metric, family.true), ("mean score", by, family.predicted)],
            family,
        )
        for family in found
    ]
    layout = {
        "xaxis": _axis(f"mean {by.label} in the supernet", predicted, by),
        "yaxis": _axis(f"mean {_true(metric)}", true, metric),
    }
    title = "Families of similar architectures"
    return Chart(
        "chart-clusters",
        "Mean true score against mean supernet score of families of similar architectures",
        [trace],
        [View("", layout | {"hovermode": "closest"})],
        card=title,
        items=items,
    )


def _along(run: RunFiles) -> Chart | None:
    """The rank figures over the steps of the training."""

    def drawn(name: str, label: str, colour: str, **style: Any) -> dict[str, Any] | None:
        found = [(r.step, r.scalars[f"rank/{name}"]) for r in run.train if f"rank/{name}" in r.scalars]
        return line(label, [step for step, _ in found], [v for _, v in found], colour, **style) if found else None

    marked = {"mode": "lines+markers", "marker": {"size": 5}}
    known = [drawn(name, label, colour) for (name, label), colour in zip(_ALONG.items(), COLOURS, strict=False)]
    traces = [trace | marked for trace in known if trace is not None]
    if not traces:
        return None
    if params := drawn("kendall_tau_params", "τ of parameter count", "var(--muted)", dash="dash"):
        traces.append(params)
    view = View("", axes("step", "agreement with the truth", showlegend=True))
    title = "The ranking while training"
    return Chart("chart-rank", "Rank figures by step of the training", traces, [view], card=title)


def _curves(identifier: str, card: str, title: str, curves: Curves | None) -> Chart | None:
    """Which share of the best is recognised, or drawn, over how many count as the best."""
    if curves is None:
        return None
    traces: list[dict[str, Any]] = []
    for ranked, colour in zip(curves.lines, COLOURS, strict=False):
        if ranked.low != ranked.high:
            edge = line(f"{ranked.name}, range of the trainings", curves.share, ranked.low, "var(--faint)")
            edge |= {"showlegend": False, "hoverinfo": "skip"}
            traces += [edge, edge | {"y": ranked.high}]
        dash = "dot" if ranked.name == _OFTEN_HIDDEN else "solid"
        traces.append(line(ranked.name, curves.share, ranked.values, colour, dash=dash))
    traces.append(line("random order", curves.share, curves.random, "var(--muted)", dash="dash"))

    def view(label: str, x: dict[str, Any]) -> View:
        y = {"title": {"text": title}, "tickformat": ".0%", "range": [-0.02, 1.02]}
        return View(label, {"xaxis": {"title": {"text": "top share, k / N"}} | x, "yaxis": y, "hovermode": "x unified"})

    views = [view("linear", {"type": "linear", "tickformat": ".3~%"})]
    views.append(view("logarithmic", {"type": "log", "tickformat": ".2~%", "dtick": 1}))
    name = f"{title[:1].upper()}{title[1:]} over the share of architectures that count as the best"
    return Chart(identifier, name, traces, views, card=card, menu="Scale")


def _true(metric: Quantity) -> str:
    return metric.label if metric.label == TRUE_SCORE.name else f"true {metric.label}"


def _item(title: str, values: Sequence[tuple[str, Quantity, float]], shown: Scored | Family) -> dict[str, Any]:
    arch = shown.arch if isinstance(shown, Scored) else shown.common
    return {"title": title, "values": [[name, q.short(v), q.exact(v)] for name, q, v in values], "arch": arch}


def _axis(title: str, values: Sequence[float], written: Quantity) -> dict[str, Any]:
    """An axis over these values of a quantity."""
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 1.0
    unit = f" ({written.unit})" if written.unit else ""
    return {
        "title": {"text": chart_text(title + unit)},
        "tickformat": written.tick_format or ("~s" if high >= 1000 else ""),
        "range": [low - margin, high + margin],
    }
