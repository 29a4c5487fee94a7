"""The logs of the runs in one chart, a quantity at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from supernet.report.charts import Chart, View, axes, chart_text, smooth, thin
from supernet.report.comparison.members import Member, grouped
from supernet.report.sections.choices import mean_openness, strengths
from supernet.report.units import quantity
from supernet.report.work import elapsed

_DRAWN = 500  # points of a curve
_LIMIT = 40  # quantities in the menu
_FIRST = ("loss", "rank/kendall_tau")
_ENTROPY = "entropy of the options"
_HIDDEN = ("forwards", "backwards", "seconds", "examples_per_s", "images_per_s")

Series = tuple[Sequence[float], Sequence[float]]


def trainings(members: Sequence[Member]) -> dict[str, Any] | None:
    """Every quantity that two runs or more have logged, by step; the loss by work and by time too."""
    logs = [_log(member) for member in members]
    names = [name for name in dict.fromkeys(n for log in logs for n in log) if sum(name in log for log in logs) > 1]
    scores = {member.run.score.name for member in members}
    first = [n for n in names if n in _FIRST or n.split("/")[0] in scores]
    names = [*sorted(first, key=_place), *(n for n in names if n not in first)][:_LIMIT]
    if not names:
        return None
    span = max(1, max(len(log["loss"][0]) for log in logs if "loss" in log) // 25) if "loss" in names else 1
    views: list[tuple[str, str, str, list[Series | None]]] = []
    for name in names:
        named = quantity(name, members[0].run.units)
        found = [log.get(name) for log in logs]
        if name == "loss":
            found = [None if one is None else (one[0], smooth(one[1], span)) for one in found]
            views.append(("loss by step", "step", "", found))
            views += _by_work(members, found)
        else:
            views.append(
                (name.replace("/", " of ") if name.split("/")[0] in scores else name, "step", named.tick_format, found)
            )
    traces: list[dict[str, Any]] = [
        {"type": "scatter", "name": chart_text(member.name), "line": member.style, "marker": {"size": 5}}
        | {"mode": "lines", "x": [], "y": []}
        for member in members
    ]
    drawn = [
        View(label, axes(x, label.partition(" by ")[0], tick, showlegend=True), [_patch(one) for one in found])
        for label, x, tick, found in views
    ]
    chart = Chart("chart-trainings", "What the trainings have logged", traces, drawn, height=380)
    return {"title": "How they were trained", "trainings": chart, "sentences": _sentences(members, names, span)}


def _log(member: Member) -> Mapping[str, Series]:
    """Scalars by name: steps and values; without those of single layers."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for record in member.run.train:
        for name, value in record.scalars.items():
            if name not in _HIDDEN and not name.startswith("conflict/layer/"):
                steps, values = found.setdefault(name, ([], []))
                steps.append(record.step)
                values.append(value)
    if shares := strengths(member.run):
        found[_ENTROPY] = ([record.step for record in member.run.strengths], mean_openness(shares))
    return found


def _place(name: str) -> tuple[int, str]:
    return (_FIRST.index(name) if name == "loss" else 1 if name not in _FIRST else 2), name


def _by_work(
    members: Sequence[Member], losses: Sequence[Series | None]
) -> list[tuple[str, str, str, list[Series | None]]]:
    """The loss by backward passes and by minutes, where two runs or more tell these at every line."""
    views: list[tuple[str, str, str, list[Series | None]]] = []
    places: dict[str, list[Sequence[float]]] = {
        "backward passes": [
            [r.scalars["backwards"] for r in m.run.train if {"loss", "backwards"} <= set(r.scalars)] for m in members
        ],
        "minutes of training": [elapsed(m.run) for m in members],
    }
    for x, known in places.items():
        found: list[Series | None] = [
            (place, loss[1]) if loss is not None and place and len(place) == len(loss[1]) else None
            for place, loss in zip(known, losses, strict=True)
        ]
        if sum(one is not None for one in found) > 1:
            views.append((f"loss by {x}", x, "", found))
    return views


def _patch(series: Series | None) -> dict[str, Any]:
    if series is None:
        return {"visible": False}
    x, y = series
    kept = thin(len(x), _DRAWN)
    few = {"mode": "lines+markers" if len(kept) <= 40 else "lines"}
    return {"visible": True, "x": [x[i] for i in kept], "y": [y[i] for i in kept]} | few


def _sentences(members: Sequence[Member], names: Sequence[str], span: int) -> list[str]:
    sentences = []
    if span > 1:
        sentences.append(f"Losses are smoothed: moving average over about {span} records.")
    if "loss" in names:
        sentences.append(
            "Losses compare between runs of one method and one task; different methods put different paths and terms "
            "into theirs. A step of one method may cost several of another: compare by backward passes."
        )
    if len(grouped(members, "data")) > 1:
        sentences.append("The data differ, so curves of different data do not compare.")
    missing = [member.name for member in members if not member.run.train]
    if missing:
        sentences.append(f"Without a log: {', '.join(missing)}.")
    if any(not math.isfinite(v) for m in members for r in m.run.train for n, v in r.scalars.items() if n == "loss"):
        sentences.append("A loss was not a finite number; its curve has a gap there.")
    return sentences
