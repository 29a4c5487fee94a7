"""What is taken out of a trained supernet is as good as what was reported of it, or says that it is not."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import nn

from small_nets import images, operations_net, plain_net, sgd
from supernet import (
    Choice,
    ElasticBatchNorm2d,
    ElasticConv2d,
    ElasticLinear,
    StaleStatistics,
    Supernet,
    deploy,
    measure,
    search,
)
from supernet.nn import Statistics
from supernet.space import Arch
from supernet.train import Recipe, TrainPaths, Uniform, fit, load_weights

RECIPE = Recipe(name="plain", program=TrainPaths(sampler=Uniform()), weights=sgd(0.1))
X = torch.zeros(2, 1, 8, 8)


def elastic(statistics: Statistics) -> Supernet:
    torch.manual_seed(0)
    width = Choice("width", (4, 16))
    layers: list[nn.Module] = [ElasticConv2d(1, width, 3), ElasticBatchNorm2d(width, statistics=statistics), nn.ReLU()]
    return Supernet(nn.Sequential(*layers, nn.Flatten(), ElasticLinear(width * 64, 10)))


def trained(net: Supernet, steps: int = 40, **options: Any) -> Supernet:
    fit(net, RECIPE, images(), steps=steps, batch_size=16, accelerator="cpu", progress=False, **options)
    return net


@pytest.mark.parametrize("statistics", ["track", "calibrate"])
def test_an_extracted_subnet_is_as_good_as_a_search_has_told(statistics: Literal["track", "calibrate"]) -> None:
    net = trained(elastic(statistics))
    front = search.random(net, images(), objectives=("accuracy", "macs"), budget=2, seed=0)
    assert front.best().values["accuracy"] > 0.6
    for point in front.archive:
        subnet = deploy.extract(net, point.arch, images())
        with torch.no_grad():
            ((x, y),) = images().validation.batches(len(images().validation))
            accuracy = (subnet(x).argmax(1) == y).float().mean().item()
            assert accuracy == pytest.approx(point.values["accuracy"], abs=1e-6)
            measure.calibrate(net, point.arch, images())
            torch.testing.assert_close(net.eval()(x, point.arch), subnet(x), rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(net.extract(point.arch).eval()(x), subnet(x), rtol=1e-4, atol=1e-5)


def test_a_trained_supernet_warns_once_and_names_the_cure() -> None:
    uses: tuple[Callable[[Supernet, Arch], object], ...] = (
        lambda net, arch: net.extract(arch),
        lambda net, arch: net.eval()(X, arch),
    )
    for use in uses:
        net = trained(elastic("track"), 2)
        with pytest.warns(StaleStatistics, match=r"deploy\.extract\(net, arch, data\).*measure\.calibrate") as told:
            use(net, net.space.smallest())
        use(net, net.space.largest())  # warnings are errors: it has been said
        assert [Path(warning.filename).name for warning in told] == [Path(__file__).name]


def test_the_warning_is_about_the_architecture_that_runs() -> None:
    net = trained(elastic("track"), 2)
    small, large = net.space.smallest(), net.space.largest()
    measure.calibrate(net, small, images())
    net.extract(small)
    net.eval()(X, small)
    with net.active(small):
        net(X)
    with pytest.warns(StaleStatistics):
        copy.deepcopy(net).extract(large)
    with net.active(large), pytest.warns(StaleStatistics):
        net(X)
    trained(net, 3)  # and new weights have new statistics
    with pytest.warns(StaleStatistics):
        net.eval()(X, small)


def test_weights_that_were_loaded_have_the_same_statistics(tmp_path: Path) -> None:
    trained(elastic("calibrate"), 2, out=tmp_path)
    net = elastic("calibrate")
    load_weights(net, tmp_path)
    with pytest.warns(StaleStatistics):
        net.extract(net.space.smallest())


def test_what_measures_or_calibrates_does_not_warn(tmp_path: Path) -> None:
    """Warnings are errors here."""
    net = trained(operations_net(), 2)
    arch = net.space.largest()
    measure.accuracy(net, arch, images())
    measure.accuracy(net, arch, images(), calibration=None)  # asked for
    measure.macs(net, arch), measure.params(net, arch), measure.latency_ms(net, arch)
    with measure.calibrated(net, arch, images()):
        net(X)
    deploy.export(net, arch, tmp_path / "net.pt2", data=images())
    deploy.retrained(net, arch, images(), steps=2, batch_size=16, start="inherited", progress=False)
    alone = deploy.retrained(net, arch, images(), steps=2, progress=False)
    alone.extract(arch)  # no other path had a part in its statistics
    assert net.calibrated_for == ()
    with pytest.warns(StaleStatistics):
        deploy.export(net, arch, tmp_path / "stale.pt2")


def test_who_keeps_no_statistics_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for net in (trained(plain_net(), 2), trained(elastic("batch"), 2), elastic("track")):
            net.extract(net.space.smallest())
            net.eval()(X, net.space.smallest())
        train_mode = trained(elastic("track"), 2)
        train_mode.train()(X, train_mode.space.smallest())
