"""Drawings of Kendall's τ as SVG, for light pages and dark ones: by cell, and over the length of the training."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from supernet.rank.evidence import Estimate
from supernet.rank.measures import TAU

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#2a6fb0", "#2f8f4e", "#8a3fb5", "#c23b4b", "#0f8b8d", "#7a6a1e")
_FREE, _GREY = "#b4530a", "#bbbbbb"
_DARK = "@media (prefers-color-scheme:dark){svg{filter:invert(1) hue-rotate(180deg)}}"
_APART = 0.055  # of the height: names closer than this would overlap


def tau_by_cell(cells: Mapping[str, Estimate], free: Mapping[str, Estimate]) -> Figure:
    """A row per cell with a dot per training, the mean, and its interval; dashed, what costs nothing.

    Args:
        cells: Kendall's τ of each cell.
        free: Kendall's τ of rankings that cost nothing.
    """
    from matplotlib.figure import Figure

    with _style():
        names = _joined(free)
        figure = Figure(figsize=(7, 0.9 + 0.36 * len(cells) + 0.22 * len(names)), layout="constrained")
        axes = figure.subplots()
        for row, estimate in enumerate(cells.values()):
            if estimate.low is not None and estimate.high is not None:
                axes.hlines(row, estimate.low, estimate.high, color=_COLOURS[0])
            axes.plot(estimate.value, row, "|", color=_COLOURS[0], markersize=15, markeredgewidth=2.5)
            axes.plot(estimate.trainings, [row] * len(estimate.trainings), "o", color=_COLOURS[0], alpha=0.55)
        for line, (value, name) in enumerate(names):
            axes.axvline(value, color=_FREE, linestyle="--", linewidth=1)
            axes.annotate(
                name,
                (value, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 4 + 14 * (len(names) - 1 - line)),  # one below the other, so that close ones do not overlap
                textcoords="offset points",
                ha="center",
                color=_FREE,
            )
        axes.axvline(0, color=_GREY, linewidth=1)
        axes.set_yticks(range(len(cells)), list(cells))
        axes.set_ylim(len(cells) - 0.5, -0.5)
        axes.set_xlabel(TAU.label)
        _plain(axes, "x")
        return figure


def tau_over_budget(lines: Mapping[str, Sequence[tuple[int, Estimate]]], free: Mapping[str, Estimate]) -> Figure:
    """A line through the means for cells that differ in the length of the training alone, with a dot per training.

    Args:
        lines: Points of each line by its name: backwards (at least two different numbers of them) and Kendall's τ, in
            ascending order.
        free: Kendall's τ of rankings that cost nothing.
    """
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=(7.5, 4), layout="constrained")
        axes = figure.subplots()
        names = [(value, name, _FREE) for value, name in _joined(free)]
        for value, _, colour in names:
            axes.axhline(value, color=colour, linestyle="--", linewidth=1)
        for place, (name, line) in enumerate(lines.items()):
            colour = _COLOURS[place % len(_COLOURS)]
            axes.plot([backwards for backwards, _ in line], [tau.value for _, tau in line], "-", color=colour)
            for backwards, tau in line:
                axes.plot([backwards] * len(tau.trainings), tau.trainings, "o", color=colour, alpha=0.55)
            names.append((line[-1][1].value, name, colour))
        budgets = sorted({backwards for line in lines.values() for backwards, _ in line})
        axes.set_xscale("log")
        axes.set_xticks(budgets, [f"{backwards:,}" for backwards in budgets])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("backward passes in training")
        axes.set_ylabel(TAU.label)
        _plain(axes, "y")
        low, high = axes.get_ylim()
        below = 1 + _APART
        for value, name, colour in sorted(names, reverse=True):
            below = min((value - low) / (high - low), below - _APART)
            axes.text(1.02, below, name, transform=axes.transAxes, va="center", color=colour)
        return figure


def svg(figure: Figure) -> bytes:
    """The file: the same bytes for the same drawing. A dark page turns its brightness round and keeps its hues."""
    file = io.StringIO()
    with _style():
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return file.getvalue().replace("</style>", f"{_DARK}</style>", 1).encode()


def _style() -> AbstractContextManager[None]:
    import matplotlib

    return matplotlib.rc_context({"svg.hashsalt": "supernet", "svg.fonttype": "none", "text.parse_math": False})


def _plain(axes: Axes, along: str) -> None:
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.grid(axis="x" if along == "x" else "y", color=_GREY, linewidth=0.6)
    axes.set_axisbelow(True)


def _joined(free: Mapping[str, Estimate]) -> list[tuple[float, str]]:
    """Rankings that cost nothing, those that would lie on each other under one name."""
    left = {name: estimate.value for name, estimate in free.items() if estimate.defined and name != "random order"}
    found = []
    while left:
        value = next(iter(left.values()))
        names = [name for name, other in left.items() if abs(other - value) < 0.02]
        found.append((value, ", ".join(names)))
        left = {name: other for name, other in left.items() if name not in names}
    return found
