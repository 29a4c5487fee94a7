"""Curves over the threshold k: top-architecture ID rate and sampling mass, beside the random baseline k / N."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet.errors import UsageError
from supernet.rank.checks import Floats, check_same_length, distribution, score_lists, scores
from supernet.rank.measures import first_k

_POINTS = 400


def top_id_curve(predicted: ArrayLike, true: ArrayLike) -> Floats:
    """The top-architecture ID rate (N,), see `top_id`, for k = 1 … N. O(N log N).

    Raises:
        UsageError: as in `Measure.__call__`.
    """
    first, second = score_lists(predicted, true)
    in_true, in_predicted = first_k(second), first_k(first)
    n = len(first)
    both = np.cumsum(np.bincount(np.maximum(in_true, in_predicted), minlength=n + 1)[1:])
    return np.asarray(both / np.cumsum(np.bincount(in_true, minlength=n + 1)[1:]), dtype=np.float64)


def sampling_mass_curve(probabilities: ArrayLike, true: ArrayLike) -> Floats:
    """a₂,ₖ (N,) = Σ Pr(α) over the truly best k ("Evaluating supernet …", app. C.2), for k = 1 … N.

    The top k are all with at least the k-th best true score. Drawing uniformly gives k / N.

    Args:
        probabilities: Pr(α) (N,) of *every* architecture of the space, see `supernet.judge.Distribution`.
        true: True scores (N,) of the same architectures.

    Raises:
        UsageError: probabilities that do not sum to 1, true scores that are not usable, or different lengths.

    >>> sampling_mass_curve([0.5, 0.3, 0.2], [90.0, 92.0, 91.0]).round(2).tolist()
    [0.3, 0.5, 1.0]
    """
    truth, weight = scores(true, "true"), np.asarray(probabilities, dtype=np.float64)
    if weight.ndim == 1:
        check_same_length(weight, truth, "probability", "true")
    if weight.shape == truth.shape and np.isfinite(weight).all() and abs(weight.sum() - 1) > 1e-5:
        raise UsageError(
            f"The probabilities of the {len(truth)} architectures sum to {weight.sum():.6g}; the sampling mass needs "
            "every architecture of the space, so that they sum to 1. For a larger space use sampling_mass_of_draws."
        )
    weight = distribution(weight, len(truth), "the architectures")
    at = np.bincount(first_k(truth), weights=weight, minlength=len(truth) + 1)
    return np.minimum(np.cumsum(at[1:]), 1.0)


def sampling_mass_of_draws(drawn: ArrayLike, uniform: ArrayLike) -> Floats:
    """Estimate of the sampling mass curve (M,) in a space too large to list.

    The mass of the top share q is the chance that a draw is at least as good as the best q of the space. That
    threshold is estimated by the k-th best of M architectures drawn uniformly, q ≈ k / M, and the chance by how many
    architectures drawn from the distribution reach it. Entry k − 1 has a standard error of at most 1 / √(4·len(drawn))
    from the draws, and q one of √(q(1 − q) / M) from the threshold.

    It needs the true scores of what was drawn (a surrogate, or trainings). Weighting a uniform sample with Pr(α)
    instead needs none, but in a space of 10¹⁸ nearly all the weight falls on architectures the sample does not hold.

    Args:
        drawn: True scores of architectures drawn with `Distribution.draw`.
        uniform: True scores (M,) of architectures drawn uniformly, `space.population(rng, M, per="architecture")`.

    Raises:
        UsageError: fewer than three true scores, or one that is not finite, or all equal.
    """
    draws, reference = scores(drawn, "drawn"), scores(uniform, "uniformly drawn")
    thresholds = np.sort(reference)[::-1]
    below = np.searchsorted(np.sort(draws), thresholds, side="left")
    return np.asarray(1 - below / len(draws), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Line:
    """One ranking in a plot over k = 1 … N.

    Attributes:
        name: Name of the ranking.
        values: Mean over the trainings (N,).
        low: Smallest of the trainings (N,).
        high: Largest of the trainings (N,).
    """

    name: str
    values: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Curves:
    """Lines over k = 1 … N; a random order, or uniform sampling, gives k / N.

    Attributes:
        quantity: Name of the quantity over the threshold k.
        n: Number of architectures N.
        lines: One line for each ranking.
    """

    quantity: str
    n: int
    lines: tuple[Line, ...]

    @property
    def random(self) -> Floats:
        """The random baseline k / N (N,)."""
        return np.arange(1, self.n + 1) / self.n

    def shown(self) -> NDArray[np.int64]:
        """At most 400 values of k, denser where k is small: there lie the architectures that matter."""
        if self.n <= _POINTS:
            return np.arange(1, self.n + 1)
        low = np.geomspace(1, self.n, _POINTS // 2)
        return np.unique(np.concatenate([low, np.linspace(1, self.n, _POINTS // 2)]).round().astype(np.int64))

    def to_json(self) -> dict[str, Any]:
        """The lines at `shown()`."""
        k = self.shown()
        return {
            "quantity": self.quantity,
            "n": self.n,
            "k": k.tolist(),
            "random": self.random[k - 1].tolist(),
            "lines": [
                {"name": line.name} | {key: getattr(line, key)[k - 1].tolist() for key in ("values", "low", "high")}
                for line in self.lines
            ],
        }


def top_id_curves(rankings: Mapping[str, Floats], true: Floats) -> Curves:
    """Top-architecture ID rate of rankings by name, each the scores (S, N) of its trainings.

    A ranking of equal scores only has no line, and where all true scores are equal no ranking has a line.
    """
    varied = {name: [row for row in rows if np.ptp(row)] for name, rows in rankings.items() if np.ptp(true)}
    lines = [_line(name, [top_id_curve(row, true) for row in rows]) for name, rows in varied.items() if rows]
    return Curves("top-architecture ID rate", len(true), tuple(lines))


def mass_curves(distributions: Mapping[str, Floats], true: Floats) -> Curves:
    """Sampling mass of distributions by name, each the probabilities (S, N) of its trainings."""
    lines = [_line(name, [sampling_mass_curve(row, true) for row in rows]) for name, rows in distributions.items()]
    return Curves("cumulative sampling probability", len(true), tuple(lines))


def _line(name: str, curves: list[Floats]) -> Line:
    stacked = np.stack(curves)
    return Line(name, stacked.mean(axis=0), stacked.min(axis=0), stacked.max(axis=0))
