"""The statistics of the report, against independent calculations."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from supernet.report.statistics import hypervolume, smooth, wilson


def test_wilson_published_values() -> None:
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81/263, 15/148, 0/20, 1/29
    for hits, count, low, high in [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)]:
        assert wilson(hits / count, count) == pytest.approx((low, high), abs=1e-4)
    for hits, count, low, high in [(0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]:
        assert wilson(hits / count, count) == pytest.approx((low, high), abs=1e-4)


def test_smooth_is_the_weighted_mean() -> None:
    values, keep = [3.0, 1.0, 4.0, 1.0, 5.0], 1 - 2 / (3 + 1)
    for n, shown in enumerate(smooth(values, 3)):
        weights = [keep ** (n - k) for k in range(n + 1)]
        assert shown == pytest.approx(np.average(values[: n + 1], weights=weights))


def test_smooth_passes_over_what_is_not_finite() -> None:
    assert smooth([math.nan, 2.0, math.inf, 2.0], 5)[1:] == [2.0, 2.0, 2.0]
    assert math.isnan(smooth([math.nan], 5)[0])


def test_hypervolume_counts_cells() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        points = [(float(x), float(y)) for x, y in rng.integers(0, 9, (6, 2))]
        cells = itertools.product(range(2, 9), range(1, 9))  # unit cells above the reference (2, 1)
        covered = sum(any(x < px and y < py for px, py in points) for x, y in cells)
        assert hypervolume(points, (2.0, 1.0)) == covered
