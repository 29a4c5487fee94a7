"""The measures of a ranking as objects, so that evidence can be computed for each in the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supernet.rank.checks import Floats, share_to_k
from supernet.rank.correlation import pearson_rows, spearman_rows
from supernet.rank.kendall import tau_rows
from supernet.rank.picks import expected_best
from supernet.rank.ranks import dense_ranks
from supernet.rank.top import first_k, top_id_rows
from supernet.rank.top_tau import tau_in_predicted_top_rows, tau_in_true_top_rows

Rows = NDArray[Any]


@dataclass(frozen=True)
class Measure:
    """One number that says how well predicted scores rank architectures.

    Attributes:
        name: Key in JSON and CSV.
        label: Name for people.
        symbol: Name in a sentence.
        rows: The number (R,) for each row of predicted and true scores (R, N); NaN where it is undefined.
        of_ranks: Only the order matters: `rows` is given dense ranks instead of the scores.
        higher_is_better: The direction.
        interval: Whether an interval by resampling architectures is valid. It is not for extremes, such as the regret
            of one pick: a resample rarely holds the best architecture.
    """

    name: str
    label: str
    symbol: str
    rows: Callable[[Rows, Rows], Floats]
    of_ranks: bool = True
    higher_is_better: bool = True
    interval: bool = True

    def prepare(self, scores: Floats) -> Rows:
        """What `rows` takes, of checked scores (N,)."""
        return dense_ranks(scores) if self.of_ranks else scores


TAU = Measure("kendall_tau", "Kendall τ", "τ", tau_rows)
RHO = Measure("spearman_rho", "Spearman ρ", "ρ", spearman_rows)
R = Measure("pearson_r", "Pearson r", "r", pearson_rows, of_ranks=False)


def top_id(share: float) -> Measure:
    """The top-architecture ID rate for the top share of the architectures."""

    def rows(predicted: Rows, true: Rows) -> Floats:
        return top_id_rows(predicted, true, share_to_k(share, true.shape[1]))

    name = f"top {100 * share:g} % ID rate"
    return Measure(f"top_id_rate@{share:g}", name[0].upper() + name[1:], name, rows)


def precision(share: float) -> Measure:
    """P@k for the top share of the architectures."""

    def rows(predicted: Rows, true: Rows) -> Floats:
        return top_id_rows(true, predicted, share_to_k(share, true.shape[1]))

    return Measure(f"precision@{share:g}", f"P@top {100 * share:g} %", f"P@top {100 * share:g} %", rows)


def tau_in_true(share: float) -> Measure:
    """Kendall's τ within the true top share."""

    def rows(predicted: Rows, true: Rows) -> Floats:
        return tau_in_true_top_rows(predicted, true, share_to_k(share, true.shape[1]))

    label = f"τ within the true top {100 * share:g} %"
    return Measure(f"tau_in_true_top@{share:g}", label, label, rows)


def tau_in_predicted(share: float) -> Measure:
    """Kendall's τ within the predicted top share."""

    def rows(predicted: Rows, true: Rows) -> Floats:
        return tau_in_predicted_top_rows(predicted, true, share_to_k(share, true.shape[1]))

    label = f"τ within the predicted top {100 * share:g} %"
    return Measure(f"tau_in_predicted_top@{share:g}", label, label, rows)


def best_rank(k: int) -> Measure:
    """N@k."""

    def rows(predicted: Rows, true: Rows) -> Floats:
        return np.asarray([-expected_best(p, -first_k(t).astype(np.float64), k) for p, t in _paired(predicted, true)])

    label = f"Best true rank among the predicted top {k}"
    return Measure(f"best_rank@{k}", label, f"N@{k}", rows, higher_is_better=False, interval=False)


def regret_at(k: int) -> Measure:
    """The regret of the best of the predicted top k, in the unit of the true scores."""

    def rows(predicted: Rows, true: Rows) -> Floats:
        return np.asarray([t.max() - expected_best(p, t, k) for p, t in _paired(predicted, true)])

    label = "Regret of the predicted best" if k == 1 else f"Regret of the best of the predicted top {k}"
    name = f"regret@{k}"
    return Measure(name, label, name, rows, of_ranks=False, higher_is_better=False, interval=False)


def _paired(predicted: Rows, true: Rows) -> zip[tuple[Rows, Rows]]:
    first, second = np.broadcast_arrays(predicted, true)
    return zip(first, second, strict=True)
