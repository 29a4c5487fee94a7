"""The table that ships with the package."""

from __future__ import annotations

import numpy as np
import pytest

from supernet import measure, zoo
from supernet.judge import nasbench201_digits_truth, rank_report


def test_it_holds_many_topologies_with_several_trainings_each() -> None:
    table = nasbench201_digits_truth()
    assert len(table) == 320
    assert len(set(table.archs)) == 320
    assert table.values.shape[1] >= 3
    assert not np.isnan(table.values).any()
    assert table.mean.max() - table.mean.min() > 0.2


def test_its_trainings_agree_far_better_than_chance_and_not_perfectly() -> None:
    ceiling = nasbench201_digits_truth().noise_ceiling()
    assert 0.4 < ceiling.single < ceiling.mean < 0.95


def test_it_spreads_over_parameter_count() -> None:
    table = nasbench201_digits_truth()
    net = zoo.nasbench201(channels=8, cells=3, in_channels=1)
    ours = measure.cost_model(net, (1, 8, 8)).params(net.space.codes(net.space.wrap(table.codes)))
    everything = measure.cost_model(net, (1, 8, 8)).params(zoo.nasbench201_codes())
    quantiles = (0.1, 0.5, 0.9)
    assert np.quantile(ours, quantiles) == pytest.approx(np.quantile(everything, quantiles), rel=0.15)


def test_an_untrained_supernet_is_not_called_good() -> None:
    from supernet import data

    net = zoo.nasbench201(channels=4, cells=1, in_channels=1)
    report = rank_report(net, data.digits(), nasbench201_digits_truth(), n=24, images=64, calibration=None)
    assert report.n == 24
    assert abs(report["kendall_tau"].supernet.value) < 0.5
    assert any("parameter count" in sentence for sentence in report.sentences())
