"""How the search advanced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from supernet.quantity import Quantity
from supernet.report.charts import Chart, View, axes, line, thin
from supernet.report.run_files import RunFiles, key
from supernet.report.units import quantity
from supernet.search.pareto import hypervolume
from supernet.search.proposals import Generation, proposals

_LIMIT = 200  # moments at which the dominated area is computed
_X = "evaluated architectures"

Part = tuple[str, dict[str, Any], list[dict[str, Any]]]


def progress(run: RunFiles) -> dict[str, Any] | None:
    """Best value so far, dominated area, and feasible architectures per generation."""
    if len(run.search) < 2 or (best := _best(run)) is None:
        return None
    parts = [best, *filter(None, (_area(run), _feasible(run), _entropy(run)))]
    traces = [trace for _, _, drawn in parts for trace in drawn]
    owners = [number for number, (_, _, drawn) in enumerate(parts) for _ in drawn]
    views = [
        View(label, layout, [{"visible": owner == number} for owner in owners])
        for number, (label, layout, _) in enumerate(parts)
    ]
    chart = Chart("chart-progress", "Progress of the search", traces, views, height=320)
    return {"title": "How the search advanced", "progress": chart, "sentences": _sentences(run)}


def _best(run: RunFiles) -> Part | None:
    name, better = run.primary.name, max if run.primary.goal == "max" else min
    known = [(n, p.values[name], run.feasible(p.values)) for n, p in enumerate(run.search, 1) if name in p.values]
    places = [n for n, _, feasible in known if feasible]
    if not places:
        return None
    values: list[float] = []
    for _, value, feasible in known:
        if feasible:
            values.append(better(values[-1], value) if values else value)
    traces: list[dict[str, Any]] = [
        {"type": "scatter", "mode": "markers", "name": label, "x": [n for n, _ in dots], "y": [v for _, v in dots]}
        | {"marker": {"color": colour, "size": 5, "opacity": 0.6}}
        for label, kept, colour in (
            ("evaluated", True, "var(--dots)"),
            ("evaluated, breaks a limit", False, "var(--faint)"),
        )
        if (dots := [(n, value) for n, value, feasible in known if feasible is kept])
    ]
    x, y = [*places, len(run.search)], [*values, values[-1]]
    traces.append(line("best so far", x, y, "var(--accent)", width=2.5, shape="hv"))
    q = quantity(name, run.units)
    return f"best {q.label} so far", axes(_X, q.title, q.tick_format, hovermode="closest"), traces


def _area(run: RunFiles) -> Part | None:
    """The share of the rectangle between the worst and the best values seen that the front dominates."""
    objectives = run.front.objectives if run.front else ()
    if len(objectives) != 2:
        return None
    known = [
        (number, _losses(point.values, objectives))
        for number, point in enumerate(run.search, 1)
        if run.feasible(point.values) and all(o.name in point.values for o in objectives)
    ]
    if len(known) < 2:
        return None
    losses = np.asarray([loss for _, loss in known])
    best, worst = losses.min(axis=0), losses.max(axis=0)
    whole = float(np.prod(worst - best))
    if whole <= 0:
        return None
    kept = thin(len(known), _LIMIT)
    x, y = [known[i][0] for i in kept], [hypervolume(losses[: i + 1], worst) / whole for i in kept]
    trace = line("dominated area", x, y, "var(--accent)", width=2.5, shape="hv") | {"showlegend": False}
    return "hypervolume of the front", axes(_X, "share of the area between worst and best seen", ".0%"), [trace]


def _losses(values: Mapping[str, float], objectives: Sequence[Quantity]) -> list[float]:
    return [objective.loss(values[objective.name]) for objective in objectives]


def _feasible(run: RunFiles) -> Part | None:
    generations = sorted({p.generation for p in run.search if p.generation is not None})
    if len(generations) < 2:
        return None
    kept = Counter(p.generation for p in run.search if run.feasible(p.values))
    missed = Counter(p.generation for p in run.search if not run.feasible(p.values))
    bars = [("keeps the limits", kept, "var(--late)"), ("breaks a limit", missed, "var(--faint)")]
    traces: list[dict[str, Any]] = [
        {"type": "bar", "name": name, "x": generations, "y": [count[g] for g in generations]}
        | {"marker": {"color": colour}}
        for name, count, colour in bars
        if count is kept or missed
    ]
    return "architectures per generation", axes("generation", "architectures", barmode="stack"), traces


def _entropy(run: RunFiles) -> Part | None:
    """How much the proposals of a generation differ, from its marginal distribution."""
    if len({point.generation for point in run.search} - {None}) < 3 or any(p.generation is None for p in run.search):
        return None
    found = proposals(run.search)
    trace = line("entropy", [one.number for one in found], [one.entropy for one in found], "var(--accent)", width=2.5)
    trace |= {"showlegend": False}
    return "entropy of what is proposed", axes("generation", "bits per choice, on average"), [trace]


def _again(run: RunFiles, name: str) -> list[Generation]:
    """The generations, with the drift of a score, where every line has it."""
    known = all(point.generation is not None and name in point.values for point in run.search)
    return proposals(run.search, name) if known else []


def _sentences(run: RunFiles) -> list[str]:
    name, better = run.primary.name, max if run.primary.goal == "max" else min
    kept = [(n, p.values) for n, p in enumerate(run.search, 1) if run.feasible(p.values)]
    number, value = better(((n, values[name]) for n, values in kept if name in values), key=lambda pair: pair[1])
    q = quantity(name, run.units)
    sentences = [f"The best {q.label}, {q.short(value)}, was found by evaluation {number:,} of {len(run.search):,}."]
    if run.front and run.front.stopped == "exhausted":
        sentences.append("The search ended because it found no further new architecture within the limits.")
    if run.front and run.front.stopped == "stalled":
        sentences.append("The search ended because it kept proposing architectures it knew already.")
    if number > 0.9 * len(run.search):
        sentences.append("It came late: a longer search might find more.")
    if (different := len({key(point.arch) for point in run.search})) < len(run.search):
        sentences.append(f"{different:,} of the evaluated architectures are different ones.")
        drifts = [one for one in _again(run, name) if one.drift is not None]
        if drifts:
            mean = float(np.mean([one.drift for one in drifts]))
            sentences.append(
                f"Where one was evaluated again its {q.label} had changed by {mean:+.2g} since, on average: scores of "
                "different generations compare only so far."
            )
    return sentences
