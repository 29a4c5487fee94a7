"""The measures of a ranking, each defined once: a value that is called with predicted and true scores.

The top k of a list are all architectures that score at least as well as the k-th best; ties enlarge the set. Where a
pick must be made among equal predictions it is random, and the expectation is returned: a prediction that cannot tell
architectures apart gets no credit for luck.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet.errors import UsageError
from supernet.rank.checks import (
    MIN_ARCHITECTURES,
    Floats,
    UndefinedError,
    check_k,
    check_same_length,
    score_lists,
    scores,
    share_to_k,
)
from supernet.rank.kendall import Ranks, partial_of, tau_rows

Rows = NDArray[Any]


@dataclass(frozen=True)
class Measure:
    """One number that says how well predicted scores rank architectures.

    Called with scores it gives the number; `estimate` adds an interval and a p-value.

    Attributes:
        name: Key in JSON and CSV.
        label: Name for people.
        symbol: Name in a sentence.
        rows: The number (R,) for each row of predicted and true scores (R, N); NaN where it is undefined.
        of_ranks: Whether only the order matters; `rows` is then given dense ranks instead of the scores.
        higher_is_better: Whether a higher figure means a better ranking.
        interval: Whether an interval by resampling architectures is valid. It is not for extremes, such as the regret
            of one pick: a resample rarely holds the best architecture.

    >>> TAU([1, 2, 3, 4], [1, 3, 2, 4]), top_id(0.5)([4, 3, 2, 1], [4, 1, 3, 2])
    (0.6666666666666666, 0.5)
    """

    name: str
    label: str
    symbol: str
    rows: Callable[[Rows, Rows], Floats]
    of_ranks: bool = True
    higher_is_better: bool = True
    interval: bool = True

    def __call__(self, predicted: ArrayLike, true: ArrayLike) -> float:
        """The measure of predicted scores (N,) against true scores (N,); higher scores are better.

        Raises:
            UsageError: lists of different length, fewer than three architectures, a score that is not finite, or
                fewer architectures than are to be picked.
            UndefinedError: a constant list, or nothing to tell apart among the architectures the measure looks at.
        """
        first, second = score_lists(predicted, true)
        found = float(self.rows(self.prepare(first)[None], self.prepare(second)[None])[0])
        if np.isnan(found):
            raise self.undefined(len(first))
        return found

    def prepare(self, scores: Floats) -> Rows:
        """What `rows` takes, of checked scores (N,)."""
        return dense_ranks(scores) if self.of_ranks else scores

    def undefined(self, n: int) -> UndefinedError:
        """The error for n architectures among which the measure is undefined."""
        return UndefinedError(
            f"{self.label} is undefined for these {n} architectures: fewer than {MIN_ARCHITECTURES} of them, or equal "
            "scores only, where it looks. Take a larger share, or rank more architectures."
        )


# -- ranks ---------------------------------------------------------------------------------------------------------


def dense_ranks(scores: Floats) -> Ranks:
    """Ranks (N,) of scores (N,): the smallest has 0, equal scores share a rank, the next higher has one more."""
    return np.unique(scores, return_inverse=True)[1].reshape(-1).astype(np.int64)


def mid_ranks(ranks: Rows) -> Floats:
    """Ranks 1 … N of each row of dense ranks (R, N), ties sharing their mean rank; gaps do no harm.

    `scipy.stats.rankdata` gives the same in twice the time, and takes a second to import, which `measure` would pay.
    """
    rows, width = len(ranks), int(ranks.max()) + 1
    at = ranks + width * np.arange(rows)[:, None]
    counts = np.bincount(at.reshape(-1), minlength=rows * width).reshape(rows, width)
    middle: Floats = np.cumsum(counts, axis=1) - (counts - 1) / 2
    placed: Floats = middle.reshape(-1)[at]
    return placed


def add_ranks(*rankings: ArrayLike) -> Floats:
    """One ranking out of several: the sums (N,) of the ranks of scores (N,), ties sharing their mean rank.

    Rankings that are wrong about different architectures correct each other. A supernet that was trained briefly
    underrates convolutions, which converge slowly; parameter count sees nothing else.

    Args:
        rankings: Scores (N,) each, the higher the better; their scales do not matter.

    Raises:
        UsageError: fewer than two rankings, scores that are not usable, or lists of different length.

    >>> add_ranks([0.91, 0.93, 0.92], [10, 20, 40])
    array([2., 5., 5.])
    """
    if len(rankings) < 2:
        raise UsageError(f"Ranks of {len(rankings)} rankings cannot be added; give two or more.")
    rows = [scores(values, f"ranking {number}") for number, values in enumerate(rankings, start=1)]
    for number, row in enumerate(rows[1:], start=2):
        check_same_length(rows[0], row, "ranking 1", f"ranking {number}")
    added: Floats = mid_ranks(np.stack([dense_ranks(row) for row in rows])).sum(axis=0)
    return added


# -- correlations --------------------------------------------------------------------------------------------------


def _standardised(values: Rows) -> Floats:
    """Rows with mean 0 and length 1, by way of their range so that neither overflow nor underflow can happen."""
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    varies = high > low
    scaled = values / 2 - low / 2
    scaled = scaled / np.where(varies, high / 2 - low / 2, 1.0)
    scaled -= scaled.mean(axis=1, keepdims=True)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.where(varies, scaled / np.where(varies, length, 1.0), np.nan)


def _pearson_rows(first: Rows, second: Rows) -> Floats:
    r: Floats = np.einsum("rn,rn->r", _standardised(first), _standardised(second))
    return np.clip(r, -1.0, 1.0)


def _spearman_rows(first: Rows, second: Rows) -> Floats:
    return _pearson_rows(mid_ranks(first), mid_ranks(second))


TAU = Measure("kendall_tau", "Kendall τ", "τ", tau_rows)
"""Kendall's τ-b."""
RHO = Measure("spearman_rho", "Spearman ρ", "ρ", _spearman_rows)
"""Spearman's ρ: Pearson's correlation of the ranks, ties sharing their mean rank."""
R = Measure("pearson_r", "Pearson r", "r", _pearson_rows, of_ranks=False)
"""Pearson's correlation of the scores themselves."""


def kendall_tau(predicted: ArrayLike, true: ArrayLike) -> float:
    """Kendall's τ-b (Kendall, 1945), which corrects for ties: `TAU` by its usual name.

    τ = (C − D) / √((n₀ − n₁)(n₀ − n₂)) with C concordant and D discordant of n₀ pairs, of which n₁ tie in the first
    and n₂ in the second list. O(N log N) (Knight, 1966).

    Args:
        predicted: Predicted scores (N,), the higher the better.
        true: True scores (N,) of the same architectures.

    Raises:
        UsageError: as in `Measure.__call__`.

    >>> kendall_tau([1, 2, 3, 4], [1, 3, 2, 4])
    0.6666666666666666
    """
    return TAU(predicted, true)


def spearman_rho(predicted: ArrayLike, true: ArrayLike) -> float:
    """Spearman's ρ: `RHO` by its usual name.

    >>> spearman_rho([1, 2, 3, 4], [1, 3, 2, 4])
    0.8
    """
    return RHO(predicted, true)


def partial_tau(predicted: ArrayLike, true: ArrayLike, control: ArrayLike) -> float:
    """Kendall's partial τ: how predicted and true scores agree beyond what the control explains.

    (τ_pt − τ_pc τ_tc) / √((1 − τ_pc²)(1 − τ_tc²)). With the parameter count as control: what a supernet knows
    that parameter count does not. It is no test of conditional independence: two normal scores that share nothing but
    the control, each correlated 0.71 with it, have τ = 1/3 and a partial τ of 1/9.

    Raises:
        UsageError: as in `Measure.__call__`.
        UndefinedError: the control ranks exactly like one of the lists.
    """
    taus = TAU(predicted, true), TAU(predicted, control), TAU(true, control)
    partial = float(partial_of(*(np.asarray([tau]) for tau in taus))[0])
    if np.isnan(partial):
        raise UndefinedError(
            "The control ranks the architectures exactly like the predicted or the true scores, so nothing is left "
            "that it does not explain; the partial τ is undefined. Use kendall_tau."
        )
    return partial


# -- the best of them ----------------------------------------------------------------------------------------------


def in_top(values: Rows, k: int) -> NDArray[np.bool_]:
    """Which entries (…, N) are at least the k-th largest along the last axis."""
    place = values.shape[-1] - k
    threshold = np.partition(values, place, axis=-1)[..., place : place + 1]
    return np.asarray(values >= threshold)


def first_k(values: Rows) -> NDArray[np.int64]:
    """The smallest k (N,) for which each architecture is in the top k: 1 + the number that score better."""
    return len(values) - np.searchsorted(np.sort(values), values, side="right") + 1


def _overlap(wanted: Rows, found: Rows, share: float) -> Floats:
    k = share_to_k(share, wanted.shape[1])
    best, chosen = in_top(wanted, k), in_top(found, k)
    return np.asarray((best & chosen).sum(axis=-1) / best.sum(axis=-1), dtype=np.float64)


def top_id(share: float) -> Measure:
    """Top-architecture ID rate a₁,ₖ = |T_k ∩ V_k| / |T_k|: the share of the truly best k that are predicted to be.

    T_k holds the architectures with at least the k-th best true score, V_k those with at least the k-th best
    predicted score ("Evaluating supernet for neural architecture search", app. C.1), k = ⌈share · N⌉. A random order
    gives k / N. `top_id_curve` has it for every k.
    """
    share_to_k(share, 1)
    name = f"top {100 * share:g} % ID rate"
    return Measure(
        f"top_id_rate@{share:g}",
        name[0].upper() + name[1:],
        name,
        lambda predicted, true: _overlap(true, predicted, share),
    )


def precision(share: float) -> Measure:
    """P@k = |T_k ∩ V_k| / |V_k| for the top share: the share of the predicted top k that are truly in the top k.

    Without ties it equals the top-architecture ID rate; many equal predictions at the threshold lower it.
    """
    share_to_k(share, 1)
    name = f"P@top {100 * share:g} %"
    return Measure(f"precision@{share:g}", name, name, lambda predicted, true: _overlap(predicted, true, share))


def ndcg(share: float) -> Measure:
    """nDCG of the predicted top k = ⌈share · N⌉: Σ (2^g − 1) / log₂(1 + place), over that of the true order.

    It counts how good what is ranked first is, the first place most (Järvelin & Kekäläinen, ACM TOIS 2002; for scores
    without training [arXiv 2502.04975](https://arxiv.org/abs/2502.04975), §5). The gain g is the true score on a scale
    from 0, the worst of the N, to 1, the best, so that the figure does not depend on its unit; the paper takes the
    accuracy as it is. Among equal predictions it is the mean gain.
    """
    share_to_k(share, 1)

    def rows(predicted: Rows, true: Rows) -> Floats:
        predicted, true = np.broadcast_arrays(predicted, true)
        return _ndcg(predicted, true, share_to_k(share, true.shape[1]))

    name = f"nDCG of the top {100 * share:g} %"
    return Measure(f"ndcg@{share:g}", name, name, rows, of_ranks=False, interval=False)


def _ndcg(predicted: Rows, true: Rows, k: int) -> Floats:
    spread = np.ptp(true, axis=1)
    spread[spread <= 0] = np.nan
    gains = 2 ** ((true - true.min(axis=1, keepdims=True)) / spread[:, None]) - 1
    order = np.argsort(-predicted, axis=1, kind="stable")
    said, given = (np.take_along_axis(values, order, axis=1) for values in (predicted, gains))
    begins = np.ones(said.shape, dtype=bool)  # of a group of equal predictions
    begins[:, 1:] = said[:, 1:] != said[:, :-1]
    group = begins.ravel().cumsum() - 1
    shared = (np.bincount(group, weights=given.ravel()) / np.bincount(group))[group].reshape(said.shape)
    places = 1 / np.log2(np.arange(2, k + 2))
    best = -np.sort(-gains, axis=1)
    return np.asarray((shared[:, :k] @ places) / (best[:, :k] @ places), dtype=np.float64)


def tau_in_true_top(share: float) -> Measure:
    """τ-b among the architectures that are truly in the top share: can the good be told apart?

    These are all with at least the ⌈share · N⌉-th best true score. The set does not depend on the prediction, so the
    figure can be compared between supernets.
    """
    share_to_k(share, 1)
    name = f"τ within the true top {100 * share:g} %"
    return Measure(
        f"tau_in_true_top@{share:g}",
        name,
        name,
        lambda predicted, true: _tau_within(predicted, true, true, share),
    )


def tau_in_predicted_top(share: float) -> Measure:
    """τ-b among the architectures that are *predicted* to be in the top share: can the ranking choose among its own
    favourites?

    The set is another for each supernet: it is what a search gets to see, but no common ground for a comparison.
    """
    share_to_k(share, 1)
    name = f"τ within the predicted top {100 * share:g} %"
    return Measure(
        f"tau_in_predicted_top@{share:g}",
        name,
        name,
        lambda predicted, true: _tau_within(predicted, true, predicted, share),
    )


def _tau_within(predicted: Rows, true: Rows, by: Rows, share: float) -> Floats:
    inside = in_top(by, share_to_k(share, by.shape[1]))
    return np.where(inside.sum(axis=1) < MIN_ARCHITECTURES, np.nan, tau_rows(predicted, true, inside))


def best_rank_at(k: int) -> Measure:
    """N@k (Ning et al., NeurIPS 2021): expected best true rank among the predicted top k. 1 is perfect.

    The true rank is 1 + the number of architectures with a better true score; equal ones share it.
    """

    def rows(predicted: Rows, true: Rows) -> Floats:
        predicted, places = np.broadcast_arrays(predicted, np.apply_along_axis(first_k, 1, true))
        return -_expected_best(predicted, -places.astype(np.float64), k)

    label = f"Best true rank among the predicted top {k}"
    return Measure(f"best_rank@{k}", label, f"N@{k}", rows, higher_is_better=False, interval=False)


def regret_at(k: int) -> Measure:
    """The best true score of all minus the expected best of the predicted top k, in the unit of the true scores.

    What trusting the prediction costs a search that trains the predicted best k and keeps the best of them; 0 is
    perfect.
    """

    def rows(predicted: Rows, true: Rows) -> Floats:
        predicted, true = np.broadcast_arrays(predicted, true)
        return np.asarray(true.max(axis=1) - _expected_best(predicted, true, k), dtype=np.float64)

    label = "Regret of the predicted best" if k == 1 else f"Regret of the best of the predicted top {k}"
    name = f"regret@{k}"
    return Measure(name, label, name, rows, of_ranks=False, higher_is_better=False, interval=False)


def _expected_best(predicted: Rows, worth: Rows, k: int) -> Floats:
    """Expected largest worth (R,) of the k best predicted, those at the threshold drawn at random."""
    count = predicted.shape[1]
    check_k(k, count)
    threshold = np.partition(predicted, count - k, axis=1)[:, count - k, None]
    sure, tied = predicted > threshold, predicted == threshold
    best = np.where(sure, worth, -np.inf).max(axis=1)
    found = np.empty(len(predicted))
    kinds, kind = np.unique(np.stack([tied.sum(axis=1), k - sure.sum(axis=1)], axis=1), axis=0, return_inverse=True)
    for number, (size, drawn) in enumerate(kinds):
        rows = kind.ravel() == number
        group = np.maximum(-np.sort(-worth[rows][tied[rows]].reshape(-1, size), axis=1), best[rows, None])
        # The largest of `drawn` out of g is the r-th best (from 0) with probability C(g-1-r, drawn-1) / C(g, drawn).
        left = size - np.arange(size - drawn, dtype=np.float64)
        none_before = np.append(1.0, np.cumprod(1 - drawn / left))
        chance = none_before * np.append(drawn / left, 1.0)
        expected = group[:, : len(chance)] @ chance
        found[rows] = np.minimum(expected, group[:, 0])  # rounding must not exceed the best there is
    return found
