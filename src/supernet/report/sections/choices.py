"""What a training has come to prefer: the strengths of the options of each choice along it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from supernet.report.charts import COLOURS, Chart, View, axes, chart_text, line
from supernet.report.run_files import RunFiles
from supernet.report.units import counted, plain

_MENU = 200  # choices with curves of their own
_ROW = 17  # pixels of a choice in the map
_SHADES = [[0, "var(--quiet)"], [0.5, "var(--early)"], [1, "var(--late)"]]
_EXTREMES = "most decided choice", "least decided"

Strengths = Mapping[str, Sequence[Sequence[float]]]
"""By choice: a row per record, of a probability per option."""


def choices(run: RunFiles) -> dict[str, Any] | None:
    """How open the choices are, how strong the strongest option of each is, and the options of one choice at a time."""
    found = strengths(run)
    if not found:
        return None
    steps = [record.step for record in run.strengths]
    return {
        "title": "What the choices came to",
        "curves": [_openness(steps, found), _options(steps, found, run)],
        "map": _strongest(steps, found, run),
        "sentences": _told(found),
    }


def strengths(run: RunFiles) -> Strengths:
    """Of the choices with two options or more that every record has, all finite."""
    records = [record.choices for record in run.strengths]
    names = records[0] if len(records) > 1 else {}
    found: dict[str, list[list[float]]] = {}
    for name, first in names.items():
        rows = [record.get(name, []) for record in records]
        known = [[value for value in row if value is not None and math.isfinite(value)] for row in rows]
        if len(first) > 1 and all(len(row) == len(first) for row in known):
            found[name] = known
    return found


def openness(probabilities: Sequence[float]) -> float:
    """The entropy of a distribution as a share of the largest there is: 1, nothing is decided; 0, all is.

    >>> openness([0.5, 0.5]), openness([0.0, 1.0])
    (1.0, 0.0)
    """
    nats = -sum(p * math.log(p) for p in probabilities if p > 0)
    return abs(nats / math.log(len(probabilities)))


def mean_openness(found: Strengths) -> list[float]:
    """The mean over the choices, by record."""
    return [sum(map(openness, rows)) / len(rows) for rows in zip(*found.values(), strict=True)]


def _openness(steps: Sequence[int], found: Strengths) -> Chart:
    rows = [[openness(one) for one in of] for of in zip(*found.values(), strict=True)]
    traces = [line("mean", steps, mean_openness(found), "var(--accent)", width=2.5)]
    if len(found) > 1:
        for name, pick, dash in zip(_EXTREMES, (min, max), ("dot", "dash"), strict=True):
            traces.append(line(name, steps, [pick(row) for row in rows], "var(--late)", dash=dash, width=1.5))
    layout = axes("step", "entropy", ".0%", showlegend=True)
    layout["yaxis"] |= {"range": [0, 1.03]}
    title = "Entropy of the options by step"
    return Chart("chart-openness", title, traces, [View("", layout)], card="How open the choices are", height=300)


def _strongest(steps: Sequence[int], found: Strengths, run: RunFiles) -> Chart:
    """A map of the largest probability: a row per choice, the first one at the top."""
    names = list(found)
    best = [[max(row) for row in found[name]] for name in names]
    texts = [
        [
            f"{name}, step {step}: {_label(run, name, row.index(max(row)))} {max(row):.3g}"
            for step, row in zip(steps, found[name], strict=True)
        ]
        for name in names
    ]
    shown = [[chart_text(text) for text in row] for row in texts]
    trace: dict[str, Any] = {
        "type": "heatmap",
        "x": steps,
        "y": [chart_text(name) for name in names],
        "z": best,
        "text": shown,
    }
    trace |= {"hovertemplate": "%{text}<extra></extra>", "colorscale": _SHADES, "zmin": 0, "zmax": 1}
    trace |= {"name": "strongest option", "showscale": True}
    bar = {"title": {"text": "probability"}, "thickness": 10, "outlinewidth": 0, "tickformat": ".0%"}
    trace |= {"colorbar": bar, "xgap": 0, "ygap": 1}
    layout = axes("step", "", hovermode="closest")
    layout["yaxis"] = {"autorange": "reversed", "type": "category", "title": {"text": "choice"}, "showgrid": False}
    layout["yaxis"] |= {"nticks": min(len(names), 40)}
    height = 130 + _ROW * min(len(names), 45)
    title = "Probability of the strongest option of each choice by step"
    return Chart("chart-strongest", title, [trace], [View("", layout)], card="The strongest option", height=height)


def _options(steps: Sequence[int], found: Strengths, run: RunFiles) -> Chart:
    """The options of one choice at a time; the one that was derived says so."""
    names = list(found)[:_MENU]
    most = max(len(found[name][0]) for name in names)
    traces = [line("", steps, [], _colour(n)[0], dash=_colour(n)[1]) | {"y": []} for n in range(most)]
    layout = axes("step", "probability", ".0%", showlegend=True)
    layout["yaxis"] |= {"rangemode": "tozero"}

    def view(name: str) -> View:
        columns = list(zip(*found[name], strict=True))
        patches: list[dict[str, Any]] = [
            {"name": chart_text(_label(run, name, n)), "y": column, "visible": True} for n, column in enumerate(columns)
        ]
        return View(name, layout, patches + [{"visible": False}] * (most - len(columns)))

    title = "Probability of each option of a choice by step"
    views = [view(name) for name in names]
    return Chart("chart-options", title, traces, views, card="The options of a choice", menu="Choice", height=340)


def _colour(number: int) -> tuple[str, str]:
    return COLOURS[number % len(COLOURS)], ("solid", "dash", "dot")[number // len(COLOURS) % 3]


def _label(run: RunFiles, name: str, place: int) -> str:
    """The option at a place of a choice, with the word that it was derived."""
    choice = next((one for one in (run.space.choices if run.space else ()) if one.name == name), None)
    if choice is None or place >= len(choice.options):
        return f"option {place}"
    derived = run.derived.arch.get(name) if run.derived else None
    option = choice.options[place]
    same = derived is not None and type(derived) is type(option) and derived == option
    return plain(option) + (" (derived)" if same else "")


def _told(found: Strengths) -> list[str]:
    decided = sum(max(rows[-1]) > 0.5 for rows in found.values())
    before, after = (mean_openness({name: [rows[place]] for name, rows in found.items()})[0] for place in (0, -1))
    sentences = [
        f"At the end one option has more than half of the probability in {decided:,} of "
        f"{counted(len(found), 'choice')}; the mean entropy went from {before:.0%} to {after:.0%} of the largest.",
        "A derivation takes one option all the same: where curves lie close to each other, little decides.",
    ]
    if len(found) > _MENU:
        sentences.append(f"The first {_MENU} choices have curves of their own; choices.jsonl holds all.")
    return sentences
