"""Whether two cells of a comparison differ, by the seeds that both have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import stats

from supernet.bench.row import PairedT

_MIN_SEEDS = 3  # fewer differences have no spread to speak of


def paired_t(first: Mapping[int, float], second: Mapping[int, float]) -> PairedT | None:
    """Test whether two cells differ, by their figures per seed; None below three shared seeds, or where all agree.

    The architectures count as given: the test says whether other *trainings* would differ, not other architectures.

    >>> found = paired_t({0: 0.5, 1: 0.6, 2: 0.7}, {0: 0.4, 1: 0.4, 2: 0.4})
    >>> round(found.mean, 3), round(found.std, 3), round(found.p_value, 4)
    (0.2, 0.1, 0.0742)
    """
    seeds = tuple(seed for seed in first if seed in second)
    each = np.asarray([first[seed] - second[seed] for seed in seeds])
    if len(seeds) < _MIN_SEEDS or each.std(ddof=1) < 1e-12:
        return None
    found = stats.ttest_1samp(each, 0.0)
    return PairedT(seeds, float(each.mean()), float(each.std(ddof=1)), float(found.pvalue))
