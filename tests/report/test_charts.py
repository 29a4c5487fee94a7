"""What is computed for a chart, against independent calculations."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from supernet.report.charts import Chart, View, axes, line, smooth


def test_smooth_is_the_weighted_mean() -> None:
    values, keep = [3.0, 1.0, 4.0, 1.0, 5.0], 1 - 2 / (3 + 1)
    for n, shown in enumerate(smooth(values, 3)):
        weights = [keep ** (n - k) for k in range(n + 1)]
        assert shown == pytest.approx(np.average(values[: n + 1], weights=weights))


def test_smooth_passes_over_what_is_not_finite() -> None:
    assert smooth([math.nan, 2.0, math.inf, 2.0], 5)[1:] == [2.0, 2.0, 2.0]
    assert math.isnan(smooth([math.nan], 5)[0])


@pytest.mark.parametrize(
    ("heights", "shown"), [([0.005, 0.005], [0.0, 0.01]), ([-2, -2], [-4.0, 0.0]), ([1, 2], None), ([0.0], None)]
)
def test_a_constant_is_shown_beside_zero(heights: list[float], shown: list[float] | None) -> None:
    trace = line("lr", [1, 2], heights, "red")
    views = [View("linear", axes("step", "lr")), View("log", axes("step", "lr", yaxis={"type": "log"}))]
    told = json.loads(Chart("c", "lr", [trace], views).data)
    assert told["views"][0]["layout"]["yaxis"].get("range") == shown
    assert "range" not in told["views"][1]["layout"]["yaxis"]
