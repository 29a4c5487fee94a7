"""Kendall's τ of every cell as a drawing: a dot per seed, the interval, and what parameter count reaches."""

from __future__ import annotations

from markupsafe import Markup

from supernet.bench.drawing import dot, drawing, free_taus, segment, tenths, words
from supernet.bench.run_table import RunTable
from supernet.rank.measures import TAU

_LINE, _LABEL, _MARGIN, _WIDE = 34, 18, 84, 520


def tau_by_cell(table: RunTable) -> str:
    """The drawing, as SVG."""
    rows = [(row, row.figures[TAU.name]) for row in table.rows]
    free = list(free_taus(table))
    ends = [0.0, *(value for value, _ in free)]
    for _, estimate in rows:
        ends += [*estimate.trainings, *(end for end in (estimate.low, estimate.high) if end is not None)]
    ticks = tenths(min(ends), max(ends))
    left = max(_MARGIN, 24 + max(8 * len(row.name) for row, _ in rows))
    low, high = ticks[0], ticks[-1]

    def x(value: float) -> float:
        return left + _WIDE * (value - low) / (high - low)

    top = 16 + _LABEL * len(free)
    bottom = top + _LINE * len(rows)
    drawn: list[Markup] = []
    for tick in ticks:
        drawn.append(segment("axis", x(tick), x(tick), top, bottom))
        drawn.append(words(x(tick), bottom + 18, f"{tick:.1f}", anchor="middle"))
    drawn.append(words(x((low + high) / 2), bottom + 38, "Kendall τ", anchor="middle"))
    for place, (value, names) in enumerate(free):
        label = 18 + _LABEL * place  # one below the other, so that close ones do not overlap
        drawn.append(segment("free", x(value), x(value), label + 5, bottom))
        drawn.append(words(x(value), label, names, anchor="middle", kind="free"))
    for place, (row, estimate) in enumerate(rows):
        y = top + _LINE * place + _LINE // 2
        drawn.append(words(left - 12, y + 4, row.name, anchor="end"))
        if estimate.low is not None and estimate.high is not None:
            drawn.append(segment("span c0", x(estimate.low), x(estimate.high), y, y))
        drawn.append(segment("mean c0", x(estimate.value), x(estimate.value), y - 8, y + 8))
        for seed, value in zip(row.seeds, estimate.trainings, strict=True):
            drawn.append(dot("c0", x(value), y, f"{row.name}, seed {seed}: {value:.3f}"))
    return drawing("Kendall τ by cell", left + _WIDE + _MARGIN, bottom + 52, *drawn)
