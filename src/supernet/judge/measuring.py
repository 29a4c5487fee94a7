"""What a ranking of N architectures is measured by, and where a measure is undefined the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from supernet.errors import UsageError
from supernet.rank.checks import Floats, UndefinedError, share_to_k
from supernet.rank.evidence import Draws, Estimate, Resamples, draws, summarise, undefined
from supernet.rank.kendall import partial_of
from supernet.rank.measures import (
    RHO,
    Measure,
    R,
    best_rank_at,
    ndcg,
    precision,
    regret_at,
    tau_in_predicted_top,
    tau_in_true_top,
    top_id,
)

MIN_TOP = 10
"""Fewer architectures rank by noise, and resamples of them are mostly ties."""

Drawn: TypeAlias = Draws | UndefinedError
"""A measure of the architectures and of their resamples; or why it is undefined."""


def drawn(measure: Measure, predicted: Floats, true: Floats, plan: Resamples, what: str) -> Drawn:
    """A measure of scores (S, N) against the truth (N,)."""
    try:
        return draws(measure, predicted, true, plan, what=what)
    except UndefinedError as error:
        return error


def partial_tau(pt: Drawn, pc: Drawn, tc: Drawn, plan: Resamples, name: str) -> Estimate:
    """From the τ of predicted (p), true (t) and control (c) scores; the permutations leave t and c together."""
    if isinstance(pt, UndefinedError) or isinstance(tc, UndefinedError) or isinstance(pc, UndefinedError):
        return undefined(str(next(found for found in (pt, tc, pc) if isinstance(found, UndefinedError))), plan)
    assert pt.resampled is not None
    assert pc.resampled is not None
    assert tc.resampled is not None
    found = Draws(
        partial_of(pt.observed, pc.observed, tc.observed),
        partial_of(pt.resampled, pc.resampled, tc.resampled),
        partial_of(pt.permuted, pc.permuted, tc.observed[:, None]),
    )
    label = f"Kendall's partial τ given {name}"
    if np.isnan(found.observed).any():
        return undefined(f"{label} is undefined: {name} ranks exactly like the supernet or like the truth.", plan)
    return summarise(found, plan, label)


def measures_of(n: int, shares: Sequence[float], picks: int) -> tuple[list[Measure], dict[str, str]]:
    """Measures beside τ of n architectures; and those that n does not support, with the reason."""
    chosen, omitted = [RHO, R], {}
    for share in shares:
        k = share_to_k(share, n)
        chosen += [top_id(share), precision(share), ndcg(share)]
        for measure in (tau_in_true_top(share), tau_in_predicted_top(share)):
            if k >= MIN_TOP:
                chosen.append(measure)
            else:
                omitted[measure.name] = (
                    f"{measure.label} needs at least {MIN_TOP} architectures there; of {n} these are {k}."
                )
    if picks < 1:
        raise UsageError(f"picks={picks} architectures cannot be picked; pick at least 1.")
    for k in dict.fromkeys((1, picks)):
        for measure in (best_rank_at(k), regret_at(k)):
            if k <= n:
                chosen.append(measure)
            else:
                omitted[measure.name] = f"{k} architectures cannot be picked of {n}."
    return chosen, omitted
