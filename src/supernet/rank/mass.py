"""Do the architecture weights favour good architectures? The sampling mass of the top k."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from supernet.errors import UsageError
from supernet.judge.sampling import check_distribution
from supernet.rank.checks import Floats, check_k, check_same_length, scores
from supernet.rank.top import first_k, in_top


def sampling_mass(probabilities: ArrayLike, true: ArrayLike, k: int) -> float:
    """a₂,ₖ = Σ Pr(α) over the truly best k ("Evaluating supernet for neural architecture search", app. C.2).

    The top k are all with at least the k-th best true score. Drawing uniformly gives k / N.

    Args:
        probabilities: Pr(α) (N,) of *every* architecture of the space, see `independent_sampler`.
        true: True scores (N,).
        k: How many are the top.

    Raises:
        UsageError: probabilities that do not sum to 1, true scores that are not usable, different lengths, or k
            outside 1 … N.

    >>> sampling_mass([0.5, 0.3, 0.2], [90.0, 92.0, 91.0], k=2)
    0.5
    """
    weight, truth = _distribution(probabilities, true)
    check_k(k, len(truth))
    return float(weight[in_top(truth, k)].sum())


def sampling_mass_curve(probabilities: ArrayLike, true: ArrayLike) -> Floats:
    """`sampling_mass` (N,) for k = 1 … N.

    Raises:
        UsageError: as in `sampling_mass`.
    """
    weight, truth = _distribution(probabilities, true)
    at = np.bincount(first_k(truth), weights=weight, minlength=len(truth) + 1)
    return np.minimum(np.cumsum(at[1:]), 1.0)


def sampling_mass_of_draws(drawn: ArrayLike, uniform: ArrayLike) -> Floats:
    """Estimate of the sampling mass curve (M,) in a space too large to list.

    The mass of the top share q is the chance that a draw is at least as good as the best q of the space. That
    threshold is estimated by the k-th best of M architectures drawn uniformly, q ≈ k / M, and the chance by how many
    architectures drawn from the sampler reach it. Entry k − 1 has a standard error of at most 1 / √(4·len(drawn))
    from the draws, and q one of √(q(1 − q) / M) from the threshold.

    It needs the true scores of what was drawn (a surrogate, or trainings). Weighting a uniform sample with Pr(α)
    instead needs none, but in a space of 10¹⁸ nearly all the weight falls on architectures the sample does not hold.

    Args:
        drawn: True scores of architectures drawn with `Sampler.draw`.
        uniform: True scores (M,) of architectures drawn uniformly, `space.population(rng, M, per="architecture")`.

    Raises:
        UsageError: fewer than three true scores, or one that is not finite, or all equal.
    """
    draws, reference = scores(drawn, "drawn"), scores(uniform, "uniformly drawn")
    thresholds = np.sort(reference)[::-1]
    below = np.searchsorted(np.sort(draws), thresholds, side="left")
    return np.asarray(1 - below / len(draws), dtype=np.float64)


def _distribution(probabilities: ArrayLike, true: ArrayLike) -> tuple[Floats, Floats]:
    truth = scores(true, "true")
    weight = np.asarray(probabilities, dtype=np.float64)
    if weight.ndim == 1 and len(weight) == len(truth) and np.isfinite(weight).all() and abs(weight.sum() - 1) > 1e-5:
        raise UsageError(
            f"The probabilities of the {len(truth)} architectures sum to {weight.sum():.6g}; the sampling mass needs "
            "every architecture of the space, so that they sum to 1. For a larger space use sampling_mass_of_draws."
        )
    if weight.ndim == 1:
        check_same_length(weight, truth, "probability", "true")
    return check_distribution(weight, len(truth), "the architectures"), truth
