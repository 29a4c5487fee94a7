"""Intervals and p-values of the measures: bootstrap over architectures, spread over trainings, permutations.

The interval over architectures is the percentile bootstrap: whole architectures are resampled. For Kendall's τ it
covers at its nominal rate from 15 architectures on, BCa and normal intervals no better, and it never leaves the range
of the measure. For ρ, r and differences of τ it holds as well; for measures of the top k it is wider than nominal.
`docs/judge.md` shows the simulation.

Several trainings of the supernet add their own error to the mean: t · s / √S with S − 1 degrees of freedom. The two
errors are combined by MOVER (Zou & Donner, Statistics in Medicine 2008): the distances from the mean to the ends of the
two intervals add in squares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet.errors import UsageError
from supernet.rank.checks import Floats, UndefinedError, check_same_length, check_varied, scores
from supernet.rank.measures import Measure, Rows

MAX_RESAMPLED = 3_000_000
"""Scores resampled for one measure. From 3,000 architectures on, 1,000 resamples become fewer, but never below 199."""

_MIN_RESAMPLES = 199


@dataclass(frozen=True)
class Estimate:
    """A figure, how far it can be trusted, and what it rests on.

    Attributes:
        value: The figure; the mean over the trainings if there are several; NaN where it is undefined, and printed as
            a dash.
        low: Lower end of the interval; None where no valid interval is known.
        high: Upper end of the interval.
        p_value: Share of random orders that do at least as well (one-sided permutation test, (1 + hits) / (1 + B));
            None for a difference.
        n: Number of architectures that it rests on.
        confidence: Nominal coverage of the interval, in (0, 1).
        trainings: The figure of each training of the supernet, (S,).
        reason: Why there is no value, or no interval where one could be expected; empty otherwise.
    """

    value: float
    low: float | None
    high: float | None
    p_value: float | None
    n: int
    confidence: float
    trainings: tuple[float, ...]
    reason: str = ""

    @property
    def defined(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.value)

    @property
    def std(self) -> float | None:
        """Standard deviation over the trainings (S − 1 in the denominator); None for a single training."""
        return float(np.std(self.trainings, ddof=1)) if len(self.trainings) > 1 else None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return number(self.value)
        return f"{number(self.value)} [{number(self.low)}, {number(self.high)}]"

    def to_json(self) -> dict[str, Any]:
        """All of it, and the standard deviation; an undefined value is null."""
        return {
            "value": self.value if self.defined else None,
            "low": self.low,
            "high": self.high,
            "p_value": self.p_value,
            "n": self.n,
            "confidence": self.confidence,
            "std": self.std,
            "trainings": list(self.trainings),
        } | ({"reason": self.reason} if self.reason else {})


def number(value: float) -> str:
    """Two decimals, three significant digits where it is larger, no negative zero, and a dash for NaN.

    >>> number(0.5512), number(-0.001), number(93.94), number(1234.5), number(math.nan)
    ('0.55', '0.00', '93.9', '1234', '–')
    """
    if math.isnan(value):
        return "–"
    text = f"{value:.{2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


@dataclass(frozen=True, eq=False)
class Resamples:
    """Which architectures each resample holds, shared by everything that is compared.

    Attributes:
        bootstrap: Places (B, N), drawn with replacement.
        permutations: Random orders (B, N).
        confidence: Nominal coverage of the interval, in (0, 1).
    """

    bootstrap: NDArray[np.intp]
    permutations: NDArray[np.intp]
    confidence: float

    @property
    def n(self) -> int:
        """Number of architectures."""
        return len(self.bootstrap[0])


@dataclass(frozen=True, eq=False)
class Draws:
    """A measure of S trainings: as observed (S,), in each resample (S, B) and in each random order (S, B)."""

    observed: Floats
    resampled: Floats | None
    permuted: Floats


def resamples(n: int, *, n_bootstrap: int = 1000, seed: int = 0, confidence: float = 0.95) -> Resamples:
    """Draw resamples and random orders of n architectures.

    Raises:
        UsageError: fewer than 199 resamples, or a confidence outside (0.5, 1) or too high for their number.
    """
    if n_bootstrap < _MIN_RESAMPLES:
        raise UsageError(f"n_bootstrap={n_bootstrap} resamples are too few for an interval; use at least 199.")
    if not 0.5 < confidence < 1 or (1 - confidence) / 2 * (_MIN_RESAMPLES + 1) < 1:
        raise UsageError(f"The confidence {confidence} is not possible; give a number above 0.5 and at most 0.99.")
    count = min(n_bootstrap, max(_MIN_RESAMPLES, MAX_RESAMPLED // n))
    rng = np.random.default_rng(seed)
    drawn = rng.integers(n, size=(count, n))
    return Resamples(drawn, rng.permuted(np.broadcast_to(np.arange(n), (count, n)), axis=1), confidence)


def trainings(values: ArrayLike, what: str) -> Floats:
    """Scores (S, N) of one or several trainings, from (N,) or (S, N); scores that are all equal are accepted.

    Raises:
        UsageError: scores of a training that are not usable.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"The {what} scores must be numbers (N,), or (S, N) for S trainings of the supernet: {error}."
        ) from error
    if not array.size and array.ndim == 2:
        raise UsageError(f"The {what} scores are of no training at all (shape {array.shape}); give at least one row.")
    return np.stack([scores(row, what, constant=True) for row in (array if array.ndim == 2 else [array])])


def draws(measure: Measure, predicted: Floats, true: Floats, plan: Resamples, *, what: str = "predicted") -> Draws:
    """A measure of scores (S, N) against true scores (N,) in all resamples and random orders.

    Args:
        measure: The measure that is estimated.
        predicted: Scores of S trainings, or of a baseline (S = 1).
        true: True scores (N,) of the architectures.
        plan: The resamples and random orders.
        what: Whose scores `predicted` are, for messages.

    Raises:
        UndefinedError: the measure is undefined for these scores.
    """
    for row in predicted:
        check_varied(row, what)
    check_varied(true, "true")
    truth = measure.prepare(true)
    ready = [measure.prepare(row) for row in predicted]
    observed = np.concatenate([measure.rows(row[None], truth[None]) for row in ready])
    if np.isnan(observed).any():
        raise measure.undefined(plan.n)
    resampled = None
    if measure.interval:
        drawn = truth[plan.bootstrap]
        resampled = np.stack([measure.rows(row[plan.bootstrap], drawn) for row in ready])
    fixed: Rows = np.broadcast_to(truth, plan.permutations.shape)
    permuted = np.stack([measure.rows(row[plan.permutations], fixed) for row in ready])
    return Draws(observed, resampled, permuted)


def undefined(reason: str, plan: Resamples) -> Estimate:
    """The estimate of a figure that is undefined."""
    return Estimate(math.nan, None, None, None, plan.n, plan.confidence, (), reason)


def summarise(drawn: Draws, plan: Resamples, label: str, *, higher_is_better: bool = True) -> Estimate:
    """The estimate that draws support; without interval where more than half of the resamples define no figure."""
    value, each = float(drawn.observed.mean()), tuple(drawn.observed.tolist())
    try:
        random = _defined(drawn.permuted.mean(axis=0), label)
        low, high = _interval(value, drawn.resampled, [drawn.observed], plan, label)
    except UndefinedError as error:
        return Estimate(value, None, None, None, plan.n, plan.confidence, each, str(error))
    as_good = random >= value - 1e-12 if higher_is_better else random <= value + 1e-12
    p_value = float((1 + as_good.sum()) / (1 + len(random)))
    return Estimate(value, low, high, p_value, plan.n, plan.confidence, each)


def contrast(first: Draws, second: Draws, plan: Resamples, label: str) -> Estimate:
    """The difference first − second of means over trainings, paired by resample.

    The trainings listed are those of `first`, each minus the mean of `second`. There is no interval where more than
    half of the resamples define no difference.
    """
    mean = second.observed.mean()
    value = float(first.observed.mean() - mean)
    resampled = None
    if first.resampled is not None and second.resampled is not None:
        resampled = (first.resampled.mean(axis=0) - second.resampled.mean(axis=0))[None]
    each = tuple((first.observed - mean).tolist())
    try:
        low, high = _interval(value, resampled, [first.observed, second.observed], plan, label)
    except UndefinedError as error:
        return Estimate(value, None, None, None, plan.n, plan.confidence, each, str(error))
    return Estimate(value, low, high, None, plan.n, plan.confidence, each)


def by_chance(drawn: Draws, plan: Resamples, label: str) -> Estimate:
    """What random orders of the same scores reach: their mean, and the range that holds `confidence` of them.

    Raises:
        UndefinedError: the measure is undefined in more than half of the random orders.
    """
    found = _defined(drawn.permuted.reshape(-1), label)
    low, high = np.quantile(found, _ends(plan.confidence), method="weibull").tolist()
    return Estimate(float(found.mean()), low, high, None, plan.n, plan.confidence, (float(found.mean()),))


def estimate(
    measure: Measure,
    predicted: ArrayLike,
    true: ArrayLike,
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """One measure with its interval and p-value.

    Args:
        measure: The measure, such as `TAU`, `RHO` or `top_id(0.05)`.
        predicted: Scores (N,), or (S, N) of S trainings of the supernet with different seeds.
        true: True scores (N,) of the same architectures.
        n_bootstrap: Number of resamples and of random orders; fewer for more than 3,000 architectures.
        seed: The seed of the resamples and of the random orders.
        confidence: Nominal coverage of the interval, in (0, 1).

    Raises:
        UsageError: scores that are not usable, or a measure that is undefined for them.
    """
    first, truth = trainings(predicted, "predicted"), scores(true, "true")
    check_same_length(first[0], truth, "predicted", "true")
    plan = resamples(len(truth), n_bootstrap=n_bootstrap, seed=seed, confidence=confidence)
    drawn = draws(measure, first, truth, plan)
    return summarise(drawn, plan, measure.label, higher_is_better=measure.higher_is_better)


def difference(
    measure: Measure,
    first: ArrayLike,
    second: ArrayLike,
    true: ArrayLike,
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """The measure of `first` minus that of `second` on the same architectures, with a paired interval.

    Args:
        measure: The measure that is estimated.
        first: Scores (N,), or (S, N) of several trainings.
        second: Scores of another supernet, whose number of trainings may differ, or of a baseline.
        true: True scores (N,) of the same architectures.
        n_bootstrap: Number of resamples, see `estimate`.
        seed: The seed of the resamples.
        confidence: Nominal coverage of the interval, in (0, 1).

    Raises:
        UsageError: as in `estimate`.
    """
    one, other = trainings(first, "first"), trainings(second, "second")
    truth = scores(true, "true")
    check_same_length(one[0], truth, "first", "true")
    check_same_length(other[0], truth, "second", "true")
    plan = resamples(len(truth), n_bootstrap=n_bootstrap, seed=seed, confidence=confidence)
    return contrast(draws(measure, one, truth, plan), draws(measure, other, truth, plan), plan, measure.label)


def _interval(
    value: float, resampled: Floats | None, groups: list[Floats], plan: Resamples, label: str
) -> tuple[float, float] | tuple[None, None]:
    if resampled is None:
        return None, None
    found = _defined(resampled.mean(axis=0), label)
    low, high = np.quantile(found, _ends(plan.confidence), method="weibull").tolist()
    half = _training_error(groups, plan.confidence)
    # A skewed resampling distribution can leave the value just outside its own percentiles.
    return value - math.hypot(max(value - low, 0.0), half), value + math.hypot(max(high - value, 0.0), half)


def _training_error(groups: list[Floats], confidence: float) -> float:
    """Half width of the interval of a sum or difference of means over trainings; 0 where there is one of each."""
    from scipy.special import stdtrit  # here: a tenth of a second that every `import supernet.rank` would pay

    squares = [(float(group.var(ddof=1)) / len(group), len(group) - 1) for group in groups if len(group) > 1]
    total = sum(square for square, _ in squares)
    if total == 0:
        return 0.0
    freedom = total**2 / sum(square**2 / degrees for square, degrees in squares)  # Welch–Satterthwaite
    return float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(total)


def _ends(confidence: float) -> list[float]:
    return [(1 - confidence) / 2, (1 + confidence) / 2]


def _defined(values: Floats, label: str) -> Floats:
    kept = values[~np.isnan(values)]
    if 2 * len(kept) < len(values):
        raise UndefinedError(
            f"{label} is undefined in {len(values) - len(kept)} of {len(values)} resamples: hardly any two scores "
            "differ where it looks. Rank more architectures, or score them more finely."
        )
    return kept
