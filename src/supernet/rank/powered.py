"""A few true scores and many predicted ones: estimates that are as honest as the former, and use the latter.

Prediction-powered inference (Angelopoulos et al., Science 2023, [arXiv 2301.09633](https://arxiv.org/abs/2301.09633)),
with the weight of the predictions tuned to the data (PPI++, [arXiv 2311.01453](https://arxiv.org/abs/2311.01453), §6):
what predictions of many architectures say, corrected by how wrong they are about the few whose truth is known. The
interval holds however bad the predictions are, provided that both kinds of architectures were drawn alike, such as
uniformly, and that the predictions were not fitted to these truths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from supernet.errors import UsageError
from supernet.rank.checks import Floats, check_same_length, scores

_FEWEST = 4


@dataclass(frozen=True)
class Powered:
    """An estimate by true scores and predictions, beside that by the true scores alone.

    Attributes:
        value: The estimate.
        low: Lower end of its interval.
        high: Upper end of its interval.
        alone: Estimate, lower and upper end by the true scores alone.
        weight: How much the predictions count: λ of PPI++, 0 where they say nothing.
        n: Number of true scores.
        others: Number of architectures that have predictions only.
        confidence: Nominal coverage, in (0, 1).
        reason: Why predictions do not count; empty where they do.
    """

    value: float
    low: float
    high: float
    alone: tuple[float, float, float]
    weight: float
    n: int
    others: int
    confidence: float
    reason: str = ""

    @property
    def worth(self) -> float:
        """How many times as many true scores alone would be needed for an interval as short."""
        width = self.high - self.low
        return math.inf if width == 0 else ((self.alone[2] - self.alone[1]) / width) ** 2

    def sentence(self, what: str = "the mean") -> str:
        """Both estimates in words."""
        by_truth = f"{self.alone[0]:.4g} [{self.alone[1]:.4g}, {self.alone[2]:.4g}]"
        if self.reason:
            return f"By {self.n} true scores {what} is {by_truth}. {self.reason}"
        return (
            f"By {self.n} true scores and {self.others} predictions {what} is {self.value:.4g} [{self.low:.4g}, "
            f"{self.high:.4g}], by the true scores alone {by_truth}: the predictions are worth {self.worth:.1f} times "
            "as many true scores."
        )


def powered_mean(true: ArrayLike, predicted: ArrayLike, others: ArrayLike, *, confidence: float = 0.95) -> Powered:
    """The mean true score of all architectures, such as those of a space, or of those a search has kept.

    mean(y) + λ (mean(f of the others) − mean(f)), whose variance is Var(y − λ f) / n + λ² Var(f) / N. Predictions may
    have any scale, and may be scores without training. The interval has t quantiles, and Var(y − λ f) is that of a
    regression, with n − 3 in the denominator: λ comes from the same few (a reconstruction: the papers have large n).

    Args:
        true: True scores (n,) y.
        predicted: Predictions (n,) f of the same architectures.
        others: Predictions (N,) of other architectures, drawn alike.
        confidence: Nominal coverage of the interval, in (0, 1).

    Raises:
        UsageError: fewer than three of either, true scores that are not finite, or lists of different length.

    >>> found = powered_mean([1.0, 2.0, 4.0, 3.0, 2.5], [10, 19, 41, 30, 26], [15, 25, 35, 45, 20, 30] * 4)
    >>> round(found.value, 2), round(found.alone[0], 2), round(found.worth, 1)
    (2.75, 2.5, 4.4)
    """
    y, f, far, reason = _checked(true, predicted, others, confidence)
    if not reason and len(y) < _FEWEST:
        reason = f"The predictions do not count: their weight needs {_FEWEST} true scores."
    weight = 0.0 if reason else _weight(y, f, far)
    alone = _interval(float(y.mean()), float(y.var(ddof=1)) / len(y), len(y) - 1, confidence)
    value = float(y.mean() + weight * (far.mean() - f.mean()))
    lost = 3 if weight else 1
    variance = float((y - weight * f).var(ddof=lost)) / len(y) + weight**2 * float(far.var(ddof=1)) / len(far)
    low, high = _interval(value, variance, len(y) - min(lost, 2), confidence)[1:]
    return Powered(value, low, high, alone, weight, len(y), len(far), confidence, reason)


def powered_tau(
    ranking: ArrayLike,
    true: ArrayLike,
    predicted: ArrayLike,
    others: tuple[ArrayLike, ArrayLike],
    *,
    confidence: float = 0.95,
) -> Powered:
    """Kendall's τ of a ranking with the truth, where the truth of most architectures is predicted only.

    A pair counts 1 where ranking and truth agree, −1 where they do not and 0 where either is equal (τ-a, the share of
    pairs in the right order times two less one). The mean over all pairs is a U-statistic; pairs of architectures
    without truth are asked of the prediction, corrected by the pairs with truth, as the mean is. Its variance is that
    of the mean over the pairs of each architecture, by the jackknife (a reconstruction: the papers have no τ). A
    prediction that is the ranking itself adds nothing.

    Args:
        ranking: Scores (n,) of the ranking that is judged, such as a supernet's.
        true: True scores (n,).
        predicted: Predictions (n,) of the truth by something else, such as a `blend` that was fitted elsewhere.
        others: Scores (N,) of the ranking and predictions (N,) of other architectures, drawn alike.
        confidence: Nominal coverage of the interval, in (0, 1).

    Raises:
        UsageError: as `powered_mean`.

    >>> found = powered_tau([1, 2, 3, 4, 5], [1, 3, 2, 4, 6], [1, 3, 2, 5, 4], ([1, 2, 3, 4], [2, 1, 3, 4]))
    >>> round(found.alone[0], 2), found.n, found.others
    (0.8, 5, 4)
    """
    mine = scores(ranking, "ranking's", constant=True)
    y, f, far, reason = _checked(true, predicted, others[1], confidence)
    beyond = scores(others[0], "ranking's", constant=True)
    check_same_length(mine, y, "ranking's", "true")
    check_same_length(beyond, far, "ranking's", "predicted")
    agrees, said, said_beyond = _agreement(mine, y), _agreement(mine, f), _agreement(beyond, far)
    weight = 0.0 if reason else _weight(agrees, said, said_beyond)
    n = len(y)

    def variance(each: Floats) -> float:
        return 4 * (len(each) - 1) / (len(each) * (len(each) - 2) ** 2) * float(((each - each.mean()) ** 2).sum())

    alone = _interval(float(agrees.mean()), variance(agrees), n - 1, confidence)
    value = float(agrees.mean() + weight * (said_beyond.mean() - said.mean()))
    spread = variance(agrees - weight * said) + weight**2 * variance(said_beyond)
    low, high = _interval(value, spread, n - (2 if weight else 1), confidence)[1:]
    if abs(agrees.mean()) == 1:  # no pair differs, and no variance: disjoint pairs are as many independent draws
        least = 2 * ((1 - confidence) / 2) ** (1 / (n // 2)) - 1
        ends = (least, 1.0) if agrees[0] > 0 else (-1.0, -least)
        (low, high), alone = ends, (value, *ends)
    value, low, high = (min(max(each, -1.0), 1.0) for each in (value, low, high))
    alone = (alone[0], max(alone[1], -1.0), min(alone[2], 1.0))
    return Powered(value, low, high, alone, weight, n, len(far), confidence, reason)


def _checked(
    true: ArrayLike, predicted: ArrayLike, others: ArrayLike, confidence: float
) -> tuple[Floats, Floats, Floats, str]:
    """Both lists, the predictions of others, and why these say nothing."""
    if not 0 < confidence < 1:
        raise UsageError(f"The confidence {confidence} is not possible; give a number between 0 and 1.")
    y = scores(true, "true", constant=True)
    f, far = (np.asarray(values, dtype=np.float64) for values in (predicted, others))
    for values in (f, far):
        scores(np.nan_to_num(values), "predicted", constant=True)  # their number and shape
    check_same_length(y, f, "true", "predicted")
    broken = int((~np.isfinite(f)).sum() + (~np.isfinite(far)).sum())
    if broken:
        return y, np.zeros_like(f), np.zeros_like(far), f"The predictions do not count: {broken} are not finite."
    if (f == f[0]).all():
        return y, f, far, f"The predictions do not count: they are {f[0]:g} wherever the truth is known."
    return y, f, far, ""


def _weight(y: Floats, f: Floats, far: Floats) -> float:
    """λ that makes the variance least."""
    spread = float(f.var(ddof=1))
    return float(np.cov(y, f)[0, 1]) / (spread * (1 + len(f) / len(far))) if spread > 0 else 0.0


def _agreement(first: Floats, second: Floats) -> Floats:
    """For each architecture the mean over its pairs (N,) of 1, −1 or 0."""
    agree = np.sign(np.subtract.outer(first, first)) * np.sign(np.subtract.outer(second, second))
    found: Floats = agree.sum(axis=1) / (len(first) - 1)
    return found


def _interval(value: float, variance: float, freedom: int, confidence: float) -> tuple[float, float, float]:
    from scipy.special import stdtrit  # here: a tenth of a second that every `import supernet.rank` would pay

    half = float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(variance)
    return value, value - half, value + half
