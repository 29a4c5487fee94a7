"""A supernet against a table."""

from __future__ import annotations

import numpy as np
import pytest

from small_nets import images, operations_net
from supernet import measure
from supernet.errors import UsageError
from supernet.judge import Table, independent_sampler, rank_report, sampling_mass_curve, specialisation
from supernet.measure import Calibration

DATA = images(n=300)
NET = operations_net()
ARCHS = list(NET.space.enumerate())
TRUTH = Table.of(ARCHS, np.random.default_rng(0).permutation(len(ARCHS)) / 10)
CALIBRATION = Calibration(images=64)


def test_it_scores_the_subnets_and_sets_them_beside_their_costs() -> None:
    done = []
    report = rank_report(NET, DATA, TRUTH, calibration=CALIBRATION, progress=lambda *place: done.append(place))
    assert report.predicted[0] == pytest.approx(measure.accuracies(NET, ARCHS, DATA, calibration=CALIBRATION))
    assert report.true.tolist() == TRUTH.mean.tolist()
    model = measure.cost_model(NET, DATA.shape)
    assert report.baselines["parameter count"].tolist() == model.params(TRUTH.codes).tolist()
    assert report.baselines["MACs"].tolist() == model.macs(TRUTH.codes).tolist()
    assert list(report.archs) == ARCHS
    assert (report.mass, report.clusters) == (None, None)
    assert done == [(place, 9) for place in range(1, 10)]


def test_sampling_mass_is_that_of_the_whole_table_even_where_few_are_scored() -> None:
    probabilities = {"block0": [0.5, 0.3, 0.2], "block1": [0.1, 0.1, 0.8]}
    sampler = independent_sampler(NET.space, probabilities)
    report = rank_report(NET, DATA, TRUTH, n=5, sampler=sampler, calibration=CALIBRATION)
    assert (report.n, report.mass.n) == (5, 9)
    weight = [
        np.prod(
            [
                probabilities[name][NET.space.choices[i].options.index(arch[name])]
                for i, name in enumerate(NET.space.names)
            ]
        )
        for arch in ARCHS
    ]
    assert report.mass.lines[0].values == pytest.approx(sampling_mass_curve(weight, TRUTH.mean))
    with pytest.raises(UsageError, match="the table holds 8 of 9"):
        rank_report(NET, DATA, TRUTH.subset(ARCHS[:8]), sampler=sampler)


def test_clusters_are_those_of_the_scores() -> None:
    report = rank_report(NET, DATA, TRUTH, clusters=True, calibration=CALIBRATION)
    assert report.clusters == specialisation(NET.space, TRUTH.codes, report.predicted[0], report.true)
