"""Verdicts in words."""

from __future__ import annotations

from supernet.bench.run_table import FOUND, FREE, Row, RunTable
from supernet.rank.evidence import Estimate, number
from supernet.rank.measures import TAU


def sentences(table: RunTable) -> list[str]:
    """Every cell against the baseline cell, then against parameter count."""
    said = []
    for row in table.rows:
        if table.baseline is not None and row.name != table.baseline:
            said.append(_against_baseline(row, table[table.baseline]))
    for row in table.rows:
        if FREE in row.minus_free:
            verdict = _verdict(row.minus_free[FREE], "beats", "is worse than", "does not beat")
            ours, theirs = row.figures[TAU.name], table.free[FREE][TAU.name]
            said.append(f"{row.name} {verdict} {FREE} (τ {ours} against {theirs}).")
    return said


def signed(value: float) -> str:
    """Two decimals with a sign.

    >>> signed(0.031), signed(-0.031), signed(0.0)
    ('+0.03', '-0.03', '0.00')
    """
    text = number(value)
    return text if text.startswith("-") or not text.strip("0.") else f"+{text}"


def signed_interval(difference: Estimate) -> str:
    """A difference with its interval."""
    if difference.low is None or difference.high is None:
        return signed(difference.value)
    return f"{signed(difference.value)} [{signed(difference.low)}, {signed(difference.high)}]"


def _against_baseline(row: Row, baseline: Row) -> str:
    ours, theirs = len(row.runs), len(baseline.runs)
    rests = f"{_seeds(ours)} each" if ours == theirs else f"{ours} and {_seeds(theirs)}"
    if row.paired is not None:
        rests += f"; paired t over {_seeds(len(row.paired.seeds))}: p = {row.paired.p_value:.2g}"
    if min(ours, theirs) == 1:
        rests += "; other seeds may say otherwise"
    if FOUND in row.figures:
        gap = 100 * (row.figures[FOUND].value - baseline.figures[FOUND].value)
        return f"{row.name} found {signed(gap)} % of accuracy compared with {baseline.name} ({rests})."
    difference = row.minus_baseline[TAU.name]
    verdict = _verdict(difference, "ranks better than", "ranks worse than", "is not shown to rank otherwise than")
    return f"{row.name} {verdict} {baseline.name}: τ {signed_interval(difference)} ({rests})."


def _verdict(difference: Estimate, better: str, worse: str, neither: str) -> str:
    if difference.low is None or difference.high is None:
        return neither
    return better if difference.low > 0 else worse if difference.high < 0 else neither


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"
