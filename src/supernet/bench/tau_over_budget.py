"""Kendall's τ over the length of the training as a drawing: a line for cells that differ in nothing else."""

from __future__ import annotations

import json
import math

from markupsafe import Markup

from supernet.bench.drawing import COLOURS, dot, drawing, free_taus, path, segment, tenths, words
from supernet.bench.grouping import settings
from supernet.bench.run_table import Row, RunTable
from supernet.bench.units import thousands
from supernet.rank.measures import TAU

_LEFT, _TOP, _WIDE, _HIGH, _LABEL = 64, 24, 480, 280, 16


def lengths(table: RunTable) -> dict[str, list[tuple[int, Row]]]:
    """Backwards and rows of cells that differ in `train.steps` alone, shortest training first, by the shortest name.

    A cell that has no such neighbour, or none that went on for longer, is in none; nor is one whose log does not count
    backwards.
    """
    alike: dict[str, list[tuple[int, Row]]] = {}
    for row in table.rows:
        backwards = row.runs[0].budget.backwards
        if backwards is not None:
            rest = {name: value for name, value in settings(row.runs[0].config).items() if name != "train.steps"}
            alike.setdefault(json.dumps(rest, sort_keys=True), []).append((round(backwards), row))
    lines = [sorted(line, key=lambda cell: cell[0]) for line in alike.values() if len({spent for spent, _ in line}) > 1]
    return {min((row.name for _, row in line), key=len): line for line in lines}


def tau_over_budget(table: RunTable) -> str | None:
    """The drawing, as SVG; None where no two cells differ in the length of their training alone."""
    lines = lengths(table)
    if not lines:
        return None
    cells = [cell for line in lines.values() for cell in line]
    free = list(free_taus(table))
    ends = [value for value, _ in free] + [tau for _, row in cells for tau in row.figures[TAU.name].trainings]
    ticks = tenths(min(ends), max(ends))
    budgets = sorted({backwards for backwards, _ in cells})
    right, bottom = _LEFT + _WIDE, _TOP + _HIGH

    def x(backwards: int) -> float:
        return _LEFT + _WIDE * math.log(backwards / budgets[0]) / math.log(budgets[-1] / budgets[0])

    def y(tau: float) -> float:
        return bottom - _HIGH * (tau - ticks[0]) / (ticks[-1] - ticks[0])

    drawn: list[Markup] = [words(_LEFT - 44, _TOP - 10, TAU.label, anchor="start")]
    for tick in ticks:
        drawn.append(segment("axis", _LEFT, right, y(tick), y(tick)))
        drawn.append(words(_LEFT - 10, y(tick) + 4, f"{tick:.1f}", anchor="end"))
    for backwards in budgets:
        drawn.append(words(x(backwards), bottom + 20, thousands(backwards), anchor="middle"))
    drawn.append(words(_LEFT + _WIDE / 2, bottom + 42, "backward passes in training", anchor="middle"))
    drawn += [segment("free", _LEFT, right, y(tau), y(tau)) for tau, _ in free]
    names = [(y(tau), name, "free") for tau, name in free]
    for place, (name, line) in enumerate(lines.items()):
        colour = f"c{place % COLOURS}"
        means = [(x(backwards), y(row.figures[TAU.name].value)) for backwards, row in line]
        drawn.append(path(colour, means))
        for backwards, row in line:
            for seed, tau in zip(row.seeds, row.figures[TAU.name].trainings, strict=True):
                drawn.append(dot(colour, x(backwards), y(tau), f"{row.name}, seed {seed}: {tau:.3f}"))
        names.append((means[-1][1], name, f"name {colour}"))
    below = -math.inf
    for wanted, name, kind in sorted(names):
        below = max(wanted + 4, below + _LABEL)  # names of lines that end together stand one below the other
        drawn.append(words(right + 14, below, name, anchor="start", kind=kind))
    width = right + 24 + 8 * max(len(name) for _, name, _ in names)
    return drawing("Kendall τ over the length of the training", width, bottom + 56, *drawn)
