"""Several scores of the same architectures joined by their ranks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from supernet.errors import UsageError
from supernet.rank.checks import Floats
from supernet.rank.measures import dense_ranks, mid_ranks


def joined_ranks(
    scores: Mapping[str, ArrayLike], *, logarithmic: bool = True, best: Mapping[str, ArrayLike] | None = None
) -> Floats:
    """One score (N,) of several: the sum of their ranks' logarithms, or of the ranks.

    Logarithms log(r / N) punish whatever one of the scores finds bad (AZ-NAS,
    [arXiv 2403.19232](https://arxiv.org/abs/2403.19232), eq. 11), and hardly tell good architectures apart. Scores that
    do may be given as `best`: of each −log(1 − (r − 1/2) / N) is added, which is large at the top and flat below. A
    score in both counts by its log-odds, nearly. Ranks r are of N, the best is N, ties have their mean.

    Args:
        scores: Scores (N,) by name, higher for better architectures; −∞ ranks last.
        logarithmic: Whether the logarithms are added.
        best: Further scores (N,) by name, whose high ranks count; they may be some of `scores`.

    Raises:
        UsageError: no scores, lists of different length, NaN, or `best` beside plain ranks.

    >>> joined_ranks({"a": [1.0, 2.0, 3.0], "b": [3.0, 1.0, 2.0]}, logarithmic=False).tolist()
    [4.0, 3.0, 5.0]
    >>> joined_ranks({"a": [1.0, 2.0, 3.0]}, best={"b": [3.0, 1.0, 2.0]}).round(2).tolist()
    [0.69, -0.22, 0.69]
    """
    if best and not logarithmic:
        raise UsageError("`best` adds logarithms, and plain ranks were asked for; leave out one of the two.")
    if not scores:
        raise UsageError("No scores were given to join; give one or more by name.")
    given = [(name, values) for one in (scores, best or {}) for name, values in one.items()]
    columns = [(name, np.asarray(values, dtype=np.float64)) for name, values in given]
    lengths = {name: len(values) for name, values in columns}
    if len({len(values) for _, values in columns}) != 1 or not len(columns[0][1]):
        raise UsageError(f"Scores are joined that are of the same architectures, one or more; these are {lengths}.")
    for name, values in columns:
        if np.isnan(values).any():
            raise UsageError(f"The score {name!r} of {int(np.isnan(values).sum())} architectures is not a number.")
    ranks = mid_ranks(np.stack([dense_ranks(values) for _, values in columns]))
    if not logarithmic:
        plain: Floats = ranks.sum(axis=0)
        return plain
    count, size = len(scores), ranks.shape[1]
    joined: Floats = np.log(ranks[:count] / size).sum(axis=0) - np.log(1 - (ranks[count:] - 0.5) / size).sum(axis=0)
    return joined
