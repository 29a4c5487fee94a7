"""How far a ranking agrees with itself when the architectures are trained again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.rank.measures import kendall_tau


@dataclass(frozen=True)
class NoiseCeiling:
    """Agreement of trainings that differ in nothing but their seed.

    A predictor that knew the expected metric of every architecture exactly would still not reach τ = 1 against
    a table of finitely many trainings. These figures say where the noise of the table itself begins.

    Attributes:
        single: Expected Kendall τ-b between two single trainings: the mean over all pairs of seeds.
        mean: Expected τ-b between the mean of `averaged` trainings and a further one: the mean over all ways to
            leave one seed out.
        averaged: Trainings in that mean, one fewer than the table has.
        std: Standard deviation of a single training around its architecture's expectation, in the metric's unit,
            pooled over architectures.
        architectures: How many have all the trainings these figures need.
    """

    single: float
    mean: float
    averaged: int
    std: float
    architectures: int

    def __str__(self) -> str:
        return (
            f"τ {self.single:.3f} between two trainings, {self.mean:.3f} between the mean of {self.averaged} and "
            f"one more; one training scatters by {self.std:.3g} ({self.architectures} architectures)"
        )

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def noise_ceiling(values: NDArray[np.float64]) -> NoiseCeiling:
    """Ceilings from the trainings (N, S) of N architectures; NaN where one is missing.

    Only architectures with all S trainings count, so that every figure is about the same architectures.

    Raises:
        UsageError: S < 2, or fewer than three architectures with all S trainings.
    """
    complete = values[~np.isnan(values).any(axis=1)]
    seeds = values.shape[1]
    if seeds < 2 or len(complete) < 3:
        raise UsageError(
            f"The noise of trainings shows where at least three architectures were trained at least twice; here are "
            f"{seeds} column(s), and {len(complete)} architectures with all of them. Train them again."
        )
    pairs = [kendall_tau(complete[:, a], complete[:, b]) for a, b in combinations(range(seeds), 2)]
    left_out = [kendall_tau(np.delete(complete, seed, axis=1).mean(axis=1), complete[:, seed]) for seed in range(seeds)]
    return NoiseCeiling(
        single=float(np.mean(pairs)),
        mean=float(np.mean(left_out)),
        averaged=seeds - 1,
        std=float(np.sqrt(complete.var(axis=1, ddof=1).mean())),
        architectures=len(complete),
    )
