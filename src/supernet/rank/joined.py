"""Several scores of the same architectures joined by their ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from supernet.errors import UsageError

Floats: TypeAlias = NDArray[np.float64]


def joined_ranks(scores: Mapping[str, ArrayLike], *, logarithmic: bool = True) -> Floats:
    """One score (N,) of several: the sum of their ranks' logarithms, or of the ranks.

    Logarithms punish whatever one of the scores finds bad (AZ-NAS, [arXiv 2403.19232](https://arxiv.org/abs/2403.19232),
    eq. 11). Ranks are of N, ties have their mean.

    Args:
        scores: Scores (N,) by name, higher for better architectures; −∞ ranks last.
        logarithmic: Whether the logarithms are added.

    Raises:
        UsageError: no scores, lists of different length, or NaN.

    >>> joined_ranks({"a": [1.0, 2.0, 3.0], "b": [3.0, 1.0, 2.0]}, logarithmic=False).tolist()
    [4.0, 3.0, 5.0]
    """
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in scores.items()}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) != 1 or not all(lengths.values()):
        raise UsageError(f"Scores are joined that are of the same architectures, one or more; these are {lengths}.")
    for name, values in columns.items():
        if np.isnan(values).any():
            raise UsageError(f"The score {name!r} of {int(np.isnan(values).sum())} architectures is not a number.")
    ranks = np.stack([rankdata(values) for values in columns.values()])
    joined: Floats = (np.log(ranks / ranks.shape[1]) if logarithmic else ranks).sum(axis=0)
    return joined
