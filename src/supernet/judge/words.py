"""What a rank report says in words: the verdict for whoever wants to use the ranking, and its table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from supernet.io.text import aligned
from supernet.rank.comparison import Comparison
from supernet.rank.evidence import Estimate

_SHOWN = (
    *("kendall_tau", "spearman_rho", "top_id_rate", "precision", "ndcg", "tau_in_true_top"),
    *("best_rank", "regret"),
)
RANKING = "this ranking"
_TOO_WIDE = 0.5  # an interval of τ that holds useless and good rankings alike: of some 20 architectures or fewer


def verdict(
    tau: Comparison,
    within: Comparison | None,
    combined: Mapping[str, Comparison],
    favourite: str,
    *,
    ranking: str = RANKING,
) -> str:
    """Can this ranking be trusted to pick among these architectures, and how far? A line for engineers.

    It says yes where the interval of the difference to every baseline, and of τ itself, lies above 0; no where a
    baseline is better by such an interval, or where neither can be shown; and that it cannot say where the
    architectures are too few. τ is told as the share of pairs that are put in the right order, (1 + τ) / 2.

    Args:
        tau: Kendall's τ of the supernet and of the baselines.
        within: τ within the truly best architectures, where there is such a figure.
        combined: τ of the ranks of supernet and baseline added, by baseline.
        favourite: A clause on the architecture that is ranked first; empty where there is none.
        ranking: What the ranking is called, such as `"this ranking by angle"`.
    """
    ours, n = tau.supernet, tau.supernet.n
    if not ours.defined:
        return f"No verdict: {ours.reason}"
    if ours.low is None or ours.high is None:
        return f"No verdict: {ours.reason} Judge on more architectures."
    rivals = {name: found for name, found in tau.baselines.items() if tau.verdict(name) is not None}
    worse = [name for name in rivals if tau.verdict(name) == "is worse than"]
    unclear = [name for name in rivals if tau.verdict(name) == "does not beat"]
    right = f"of two of these architectures it puts the better one first in {_pairs(ours)} of cases"
    if worse:
        best = max(worse, key=lambda name: rivals[name].value)
        said = f"Do not pick by {ranking}: {right}, sorting by {best} in {_percent(rivals[best].value)}"
        added = combined.get(best)
        if added is not None and added.verdict(best) == "beats":
            said += f"; the ranks of both added are right in {_percent(added.supernet.value)}, so pick by these"
        return f"{said}."
    wide = ours.high - ours.low > _TOO_WIDE
    if wide and (unclear or ours.low <= 0):
        return (
            f"Too few architectures to say: with {n} of them, {ranking} may put anything from "
            f"{_percent(ours.low)} to {_percent(ours.high)} of pairs in the right order; judge on 30 or more."
        )
    if ours.low <= 0:
        return f"Do not pick by {ranking}: it cannot be told from a random order ({right}; a coin in 50 %)."
    if unclear:
        best = max(unclear, key=lambda name: rivals[name].value)
        opening = "Not" if ranking == RANKING else f"{ranking[0].upper()}{ranking[1:]} is not"
        said = f"{opening} shown to be better than sorting by {best}: {right}, {best} in {_percent(rivals[best].value)}"
        added = combined.get(best)
        if added is not None and added.verdict(best) == "beats":
            return f"{said}; the ranks of both added are right in {_percent(added.supernet.value)}, so pick by these."
        return f"{said}; with {n} architectures the two cannot be told apart."
    than = f", {' and '.join(f'{name} in {_percent(found.value)}' for name, found in rivals.items())}" if rivals else ""
    said = f"Pick by {ranking}: {right}{than}{favourite}"
    if within is not None and within.supernet.low is not None and within.supernet.low <= 0:
        share = within.measure.label.removeprefix("τ within the true ")
        said += f"; but it is not shown to order the {share} among themselves, so train several of its favourites"
    return f"{said}."


def table(comparisons: Sequence[Comparison]) -> str:
    """A line per main measure; a column for the supernet, for random orders and for each baseline.

    A dash stands for what is undefined; the reasons follow.
    """
    shown = [comparison for comparison in comparisons if comparison.measure.name.startswith(_SHOWN)]
    lines, reasons = [["", "supernet", "random order", *shown[0].baselines]], dict[str, None]()
    for comparison in shown:
        figures = (comparison.supernet, comparison.random, *comparison.baselines.values())
        fine = comparison.measure.name.startswith("regret")
        lines.append([comparison.measure.label, *(_score(figure) if fine else str(figure) for figure in figures)])
        reasons |= {figure.reason: None for figure in figures if figure.reason}
    return "\n".join([aligned(lines), *(f"–: {reason}" for reason in reasons)])


def _score(figure: Estimate) -> str:
    """A figure in the unit of the true scores, whose size is not known: three significant digits."""
    return f"{figure.value:.3g}" if figure.defined else str(figure)


def _percent(tau: float) -> str:
    return f"{50 * (1 + tau):.0f} %"


def _pairs(tau: Estimate) -> str:
    assert tau.low is not None
    assert tau.high is not None
    return f"{_percent(tau.value)} ({50 * (1 + tau.low):.0f} to {_percent(tau.high)})"
