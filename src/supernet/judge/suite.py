"""Which measures a report takes of so many architectures."""

from __future__ import annotations

from collections.abc import Sequence

from supernet.errors import UsageError
from supernet.rank.checks import share_to_k
from supernet.rank.measures import (
    RHO,
    Measure,
    R,
    best_rank,
    precision,
    regret_at,
    tau_in_predicted,
    tau_in_true,
    top_id,
)

_MIN_TOP = 10  # fewer architectures rank by noise, and resamples of them are mostly ties


def measures_for(n: int, shares: Sequence[float], picks: int) -> tuple[list[tuple[Measure, bool]], dict[str, str]]:
    """Measures beside τ, with whether one may turn out undefined; and those n does not support, with the reason."""
    chosen: list[tuple[Measure, bool]] = [(measure, False) for measure in (RHO, R)]
    omitted = {}
    for share in shares:
        k = share_to_k(share, n)
        chosen += [(top_id(share), False), (precision(share), False)]
        for measure in (tau_in_true(share), tau_in_predicted(share)):
            if k >= _MIN_TOP:
                chosen.append((measure, True))
            else:
                omitted[measure.name] = (
                    f"{measure.label} needs at least {_MIN_TOP} architectures there; of {n} these are {k}."
                )
    if picks < 1:
        raise UsageError(f"picks={picks} architectures cannot be picked; pick at least 1.")
    for k in dict.fromkeys((1, picks)):
        for measure in (best_rank(k), regret_at(k)):
            if k <= n:
                chosen.append((measure, False))
            else:
                omitted[measure.name] = f"{k} architectures cannot be picked of {n}."
    return chosen, omitted
