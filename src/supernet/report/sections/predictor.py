"""How right the predictor was that a search went by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from supernet.rank.measures import kendall_tau
from supernet.report.charts import HOVER, Chart, View, axes, chart_text, line
from supernet.report.run_files import RunFiles, measured
from supernet.report.units import counted, quantity
from supernet.search.evaluation import Point

_FEWEST = 5  # picks whose order says something


class HeldOut(msgspec.Struct, frozen=True):
    """Predictions of architectures that a fit had not seen, beside what was measured; in the unit of the quantity."""

    n: int
    tau: float | None = None
    rmse: float | None = None
    rmse_of_mean: float | None = None


class Round(msgspec.Struct, frozen=True):
    """A fit: to how many architectures, and how right on those held out, by quantity."""

    fitted_to: int
    held_out: dict[str, HeldOut] = {}
    queries: int = 0


class Findings(msgspec.Struct, frozen=True):
    """`predictor` of `front.json`."""

    predictor: str = ""
    rounds: list[Round] = []
    picks: dict[str, HeldOut] = {}


def predictor(run: RunFiles) -> dict[str, Any] | None:
    """τ of predicted and measured values by round, errors by round, and the picks one by one."""
    picked = [point for point in run.search if point.predicted]
    told = run.front.predictor if run.front else None
    sentences = []
    try:
        found = Findings() if told is None else msgspec.convert(told, Findings)
    except msgspec.ValidationError as error:
        found = Findings()
        sentences.append(f"What front.json says of the predictor cannot be read: {error}.")
    if not picked and not found.rounds and not sentences:
        return None
    names = list(
        dict.fromkeys([n for p in picked for n in p.predicted or {}] + [n for r in found.rounds for n in r.held_out])
    )
    charts = [_taus(name, found, picked, run) for name in names] + [_errors(name, found, run) for name in names]
    charts += [_picks(name, picked, run) for name in names]
    sentences += [_sentence(name, one, run) for name, one in found.picks.items()]
    if any(chart is not None for chart in charts):
        sentences.append(
            "Held out: each fifth of the measured architectures, predicted by a fit to the others. Picks are what "
            "looked best, often a narrow range, in which τ is lower than among random architectures."
        )
    title = f"Was the predictor right? ({found.predictor})" if found.predictor else "Was the predictor right?"
    return {"title": title, "charts": [chart for chart in charts if chart is not None], "sentences": sentences}


def _taus(name: str, found: Findings, picked: Sequence[Point], run: RunFiles) -> Chart | None:
    """Kendall's τ by round: of those held out of each fit, and of the picks that the fit led to."""
    label = quantity(name, run.units).label
    rounds = [r for r in found.rounds if name in r.held_out]
    held = [(r.fitted_to, _known(r.held_out[name].tau)) for r in rounds]
    of_picks = _by_round(name, found, picked)
    if not held and not of_picks:
        return None
    traces = [
        line(what, [x for x, _ in points], [y for _, y in points], colour)
        | {"mode": "lines+markers", "marker": {"size": 7}}
        for what, points, colour in (("held out of the fit", held, "var(--late)"), ("picks", of_picks, "var(--accent)"))
        if points
    ]
    layout = axes("architectures that it was fitted to", "Kendall's τ", showlegend=True)
    title = f"Kendall's τ of predicted and measured {label}, by fit"
    card = f"Ranking of {label}, predicted and measured"
    return Chart(f"chart-predictor-tau-{name}", title, traces, [View("", layout)], card=card, height=300)


def _by_round(name: str, found: Findings, picked: Sequence[Point]) -> list[tuple[int, float]]:
    """τ of the picks after each fit, by how many architectures it was fitted to; those of few picks are left out."""
    generations: dict[int, list[Point]] = {}
    for point in picked:
        if point.generation is not None and name in (point.predicted or {}) and name in point.values:
            generations.setdefault(point.generation, []).append(point)
    rounds = [r.fitted_to for r in found.rounds]
    if len(rounds) != len(generations):  # a round of one search is a generation
        rounds = list(range(1, len(generations) + 1))
    taus = []
    for fitted_to, points in zip(rounds, (generations[g] for g in sorted(generations)), strict=True):
        told = [(p.predicted or {})[name] for p in points]
        known = [p.values[name] for p in points]
        if len(points) >= _FEWEST and len(set(told)) > 1 and len(set(known)) > 1:
            taus.append((fitted_to, float(kendall_tau(told, known))))
    return taus


def _errors(name: str, found: Findings, run: RunFiles) -> Chart | None:
    """The error of the predictor by fit, beside that of predicting the mean."""
    named = quantity(name, run.units)
    rows = [
        (r.fitted_to, _known(r.held_out[name].rmse), _known(r.held_out[name].rmse_of_mean))
        for r in found.rounds
        if name in r.held_out
    ]
    if len(rows) < 2:
        return None
    x = [row[0] for row in rows]
    mode = {"mode": "lines+markers", "marker": {"size": 7}}
    traces = [
        line("the predictor", x, [row[1] for row in rows], "var(--late)") | mode,
        line("the mean of those fitted to", x, [row[2] for row in rows], "var(--dots)", dash="dot") | mode,
    ]
    layout = axes("architectures that it was fitted to", f"error of {named.label}", named.tick_format, showlegend=True)
    layout["yaxis"] |= {"rangemode": "tozero"}
    title = f"Root mean squared error of predicted {named.label}, by fit"
    return Chart(f"chart-predictor-error-{name}", title, traces, [View("", layout)], card="Error, held out", height=300)


def _picks(name: str, picked: Sequence[Point], run: RunFiles) -> Chart | None:
    """Predicted against measured, with the line on which both are equal."""
    points = [p for p in picked if name in measured(p.predicted or {}) and name in p.values]
    if not points:
        return None
    named = quantity(name, run.units)
    told, known = [(p.predicted or {})[name] for p in points], [p.values[name] for p in points]
    ends = [min([*told, *known]), max([*told, *known])]
    traces: list[dict[str, Any]] = [
        line("equal", ends, ends, "var(--faint)", dash="dash") | {"hoverinfo": "skip"},
        {"type": "scatter", "mode": "markers", "name": "picks", "x": told, "y": known}
        | {"marker": {"size": 7, "color": "var(--accent)", "opacity": 0.7}, "customdata": list(range(len(points)))}
        | HOVER,
    ]
    axis = {"tickformat": named.tick_format}
    layout = {
        "xaxis": {"title": {"text": chart_text(f"predicted {named.label}")}} | axis,
        "yaxis": {"title": {"text": chart_text(f"measured {named.label}")}} | axis,
        "hovermode": "closest",
        "showlegend": True,
    }
    items = [_item(point, named.label, (point.predicted or {})[name], point.values[name]) for point in points]
    title = f"Measured against predicted {named.label} of the picks"
    return Chart(
        f"chart-predictor-picks-{name}",
        title,
        traces,
        [View("", layout)],
        card="Picks one by one",
        height=320,
        items=items,
    )


def _known(value: float | None) -> float:
    """A gap in a curve where a value is not known."""
    return math.nan if value is None else value


def _item(point: Point, label: str, told: float, known: float) -> Mapping[str, Any]:
    values = [
        [what, f"{value:.4g}", repr(value)]
        for what, value in ((f"predicted {label}", told), (f"measured {label}", known))
    ]
    title = "Pick" if point.generation is None else f"Pick of round {point.generation}"
    return {"title": title, "values": values, "arch": point.arch}


def _sentence(name: str, found: HeldOut, run: RunFiles) -> str:
    label = quantity(name, run.units).label
    tau = "an undefined τ" if found.tau is None else f"τ {found.tau:.2f}"
    error = "" if found.rmse is None else f", an error of {found.rmse:.3g}"
    mean = "" if found.rmse_of_mean is None else f" where that of the mean is {found.rmse_of_mean:.3g}"
    return f"{counted(found.n, 'pick')} predicted and then measured, {label}: {tau}{error}{mean}."
