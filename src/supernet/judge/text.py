"""The figures of a ranking as lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from supernet.io.text import aligned
from supernet.rank.comparison import Comparison
from supernet.rank.estimate import Estimate

_SHOWN = ("kendall_tau", "spearman_rho", "top_id_rate", "tau_in_true_top", "best_rank", "regret@1")


def report_text(comparisons: Sequence[Comparison]) -> str:
    """A line per main measure; a column for the supernet, for random orders and for each baseline.

    The others are in `RankReport.rows`.
    """
    shown = [comparison for comparison in comparisons if comparison.measure.name.startswith(_SHOWN)]
    lines = [["", "supernet", "random order", *shown[0].baselines]]
    for comparison in shown:
        figures = (comparison.supernet, comparison.random, *comparison.baselines.values())
        fine = comparison.measure.name.startswith("regret")
        lines.append([comparison.measure.label, *(_score(figure) if fine else str(figure) for figure in figures)])
    return aligned(lines)


def _score(figure: Estimate) -> str:
    """A figure in the unit of the true scores, whose size is not known: three significant digits."""
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3g}"
    return f"{figure.value:.3g} [{figure.low:.3g}, {figure.high:.3g}]"
