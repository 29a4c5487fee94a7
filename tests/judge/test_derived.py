"""Where one architecture stands among the truths, and what a report says of it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from supernet.errors import UsageError
from supernet.judge import RankReport, Truth, standing
from supernet.quantity import Quantity
from supernet.space import Choice, Space

SPACE = Space([Choice("a", tuple(range(6))), Choice("b", tuple(range(5)))])
ARCHS = list(SPACE.enumerate())
VALUES = np.random.default_rng(3).integers(0, 12, size=len(ARCHS)) / 12  # with ties


def test_rank_and_regret_are_those_of_brute_force_and_random_ones_their_means() -> None:
    truth = Truth.of(ARCHS, VALUES)
    found = [standing(truth, arch) for arch in ARCHS]
    assert [one.rank for one in found] == stats.rankdata(-VALUES, method="min").tolist()
    assert [one.true for one in found] == VALUES.tolist()
    assert [one.regret for one in found] == pytest.approx(max(VALUES) - VALUES)
    for one in found:
        assert one.n == 30
        assert one.random_true == pytest.approx(np.mean([other.true for other in found]))
        assert one.random_rank == pytest.approx(np.mean([other.rank for other in found]))
        assert one.random_regret == pytest.approx(np.mean([other.regret for other in found]))


def test_without_ties_a_random_architecture_stands_in_the_middle() -> None:
    found = standing(Truth.of(ARCHS, np.random.default_rng(0).permutation(30)), ARCHS[4])
    assert (found.random_rank, found.random_true) == (15.5, 14.5)


def test_of_a_metric_that_is_to_be_small_the_smallest_is_best() -> None:
    truth = Truth.of(ARCHS, VALUES, metric=Quantity("error", goal="min"))
    best = ARCHS[int(VALUES.argmin())]
    found = standing(truth, best)
    assert (found.rank, found.regret, found.true) == (1, 0.0, VALUES.min())
    assert found.random_true == pytest.approx(VALUES.mean())
    assert found.random_regret == pytest.approx(VALUES.mean() - VALUES.min())


def test_trainings_count_by_their_mean_and_what_is_missing_is_refused() -> None:
    truth = Truth.of(ARCHS[:3], [[0.0, 1.0], [0.4, 0.4], [0.6, np.nan]])
    assert standing(truth, ARCHS[0]).rank == 2
    with pytest.raises(UsageError, match="has no accuracy of"):
        standing(truth, ARCHS[3])


def test_a_report_says_it_in_text_in_csv_and_in_json() -> None:
    truth = Truth.of(ARCHS, VALUES)
    plain = RankReport.of(VALUES + 0.01 * np.arange(30), VALUES, baselines={}, n_bootstrap=199)
    assert "derived" not in plain.text()
    assert json.loads(json.dumps(plain.to_json()))["derived"] is None
    report = replace(plain, derived=standing(truth, ARCHS[7]))
    found = report.derived
    assert found is not None
    derived, random = report.text().splitlines()[-2:]
    assert derived.split() == ["derived", "architecture", f"{found.true:.4g}", str(found.rank), f"{found.regret:.3g}"]
    assert random.split()[-1] == f"{found.random_regret:.3g}"
    assert f"rank {found.rank} of 30" in report.sentences()[0]
    rows = {(row["measure"], row["ranking"]): row for row in csv.DictReader(io.StringIO(report.to_csv()))}
    assert float(rows["derived regret", "derived architecture"]["value"]) == found.regret
    assert float(rows["derived rank", "random architecture"]["value"]) == found.random_rank
    told = json.loads(json.dumps(report.to_json()))["derived"]
    assert (told["rank"], told["arch"]) == (found.rank, ARCHS[7].options())
    missing = replace(plain, omitted={"derived": "The truth does not hold it."})
    assert missing.text().endswith("derived architecture: The truth does not hold it.")
