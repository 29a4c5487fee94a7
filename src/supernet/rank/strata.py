"""Samples that span the whole range of a quantity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def one_per_stratum(values: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """One row (n,) from each of n strata of values (N,), N ≥ n, from the lowest stratum to the highest.

    Strata hold equally many rows, up to one. Equal values fall into strata at random.
    """
    shuffled = rng.permutation(len(values))
    ordered = shuffled[np.argsort(values[shuffled], kind="stable")]
    return np.asarray([rng.choice(stratum) for stratum in np.array_split(ordered, n)], dtype=np.int64)
