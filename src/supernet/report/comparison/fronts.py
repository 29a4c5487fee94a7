"""The fronts of the runs in one chart, where their objectives agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supernet.report.charts import HOVER, Chart, View, chart_text
from supernet.report.comparison.members import Member
from supernet.report.run_files import key
from supernet.report.units import quantity
from supernet.search.evaluation import Point


def fronts(members: Sequence[Member]) -> dict[str, Any] | None:
    """A line per front; a menu where several groups of runs have objectives of their own; why others are left out."""
    searched = [member for member in members if member.run.front and member.run.front.points]
    if not searched:
        return None
    groups: dict[tuple[str, ...], list[Member]] = {}
    for member in searched:
        groups.setdefault(_compared_by(member), []).append(member)
    shown = [group for group in sorted(groups.values(), key=len, reverse=True) if len(group) > 1]
    chart = _chart(shown) if shown else None
    reference = shown[0][0] if shown else searched[0]
    drawn = [member for group in shown for member in group]
    sentences = [_why(member, reference) for member in searched if member not in drawn and member is not reference]
    sentences += [f"{member.name} has no front: it was not searched." for member in members if member not in searched]
    if chart is None and len(searched) == 1:
        sentences.insert(0, f"{reference.name} alone was searched, so there is no front to compare its own with.")
    if len({member.space for member in drawn}) > 1:
        sentences.append(
            "The fronts are of different spaces on the same data: what they reach compares, choices do not."
        )
    if shown:
        score = quantity(reference.run.primary.name).label
        sentences.append(
            f"Every {score} uses inherited weights, on validation data that the searches looked at: supernets that are "
            "trained differently may rank alike and score apart, so compare test figures of exported files first."
        )
    return {"title": "The fronts", "fronts": chart, "sentences": sentences}


def _compared_by(member: Member) -> tuple[str, ...]:
    """What two runs must share for their fronts to stand in one chart."""
    front = member.run.front
    assert front is not None
    goals = [f"{o.name} {o.goal} {o.unit}" for o in front.objectives]
    timed = any("latency" in objective.name for objective in front.objectives)
    return (member.data, member.machine if timed else "", *sorted(goals))


def _objectives(member: Member) -> str:
    front = member.run.front
    assert front is not None
    return " and ".join(f"{o.name} ({o.unit})" if o.unit else o.name for o in front.objectives)


def _why(member: Member, reference: Member) -> str:
    """Why the front of a run does not stand beside that of another."""
    ours, theirs = _compared_by(member), _compared_by(reference)
    begins = f"The front of {member.name} is not drawn beside that of {reference.name}:"
    if ours[2:] != theirs[2:]:
        return f"{begins} its objectives are {_objectives(member)}, and there they are {_objectives(reference)}."
    if ours[0] != theirs[0]:
        return f"{begins} it is of other data ({member.data}; there {reference.data})."
    return f"{begins} latencies were measured on {member.machine}, and there on {reference.machine}."


def _chart(groups: Sequence[Sequence[Member]]) -> Chart:
    members = [member for group in groups for member in group]
    items: list[dict[str, Any]] = []
    traces, patches = [], []
    for member in members:
        points = _points(member)
        traces.append(
            {
                "type": "scatter",
                "name": chart_text(member.name),
                "customdata": list(range(len(items), len(items) + len(points))),
            }
            | {"marker": {"size": 8, "color": member.colour, "line": {"color": "var(--card)", "width": 1}}}
            | {"line": {**member.style, "shape": "hv"}}
            | HOVER
        )
        items += [_item(member, point) for point in points]
        x, y = member.run.cost.name, member.run.primary.name
        two = len(member.run.front.objectives) == 2 if member.run.front else False
        patches.append(
            {"x": [p.values.get(x) for p in points], "y": [p.values.get(y) for p in points]}
            | {"mode": "lines+markers" if two else "markers"}
        )
    views = []
    for group in groups:
        run = group[0].run
        qx, qy = quantity(run.cost.name, run.units), quantity(run.primary.name, run.units)
        layout = {
            "xaxis": {"title": {"text": chart_text(qx.title)}, "tickformat": qx.tick_format, "rangemode": "tozero"},
            "yaxis": {"title": {"text": chart_text(qy.title)}, "tickformat": qy.tick_format},
            "hovermode": "closest",
            "showlegend": True,
        }
        label = f"{qy.label} and {qx.label} of {', '.join(member.name for member in group)}"
        views.append(View(label, layout, [{**p, "visible": m in group} for m, p in zip(members, patches, strict=True)]))
    title = f"Fronts of {', '.join(member.name for member in members)}"
    return Chart("chart-fronts", title, traces, views, height=460, items=items)


def _points(member: Member) -> list[Point]:
    """The front in the order in which its line is drawn."""
    run = member.run
    assert run.front is not None
    return sorted(run.front.points, key=lambda p: p.values.get(run.cost.name, 0.0), reverse=run.cost.goal == "max")


def _item(member: Member, point: Point) -> dict[str, Any]:
    names = [export.name for export in member.run.exports if key(export.arch) == key(point.arch)]
    known = [(quantity(name, member.run.units), value) for name, value in point.values.items()]
    title = ", ".join([member.name, *names])
    return {"title": title, "values": [[q.label, q.short(v), q.exact(v)] for q, v in known], "arch": point.arch}
