"""Many subnets at once: the scores of each by itself, bit for bit, and how many layers ran for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from measure_networks import blobs
from supernet import Arch, Choice, ElasticBatchNorm2d, ElasticConv2d, ElasticLinear, OpChoice, Supernet, data, zoo
from supernet.errors import RunError
from supernet.measure import Calibration
from supernet.measure.scores.scores import run_scores
from supernet.measure.scores.shared_beginnings import Together, scores_together

IMAGES = data.digits()
CALIBRATIONS = {
    "pooled": Calibration(images=60, batch_size=20),
    "ema": Calibration(mode="ema", images=60, batch_size=20, reset=False),
    "none": None,
}


def macro(statistics: Any = "track") -> Supernet:
    torch.manual_seed(0)
    return zoo.nasbench_macro(channels=4, head_channels=8, in_channels=1, num_classes=10, statistics=statistics)


def together(net: Supernet, archs: list[Arch], calibration: Calibration | None, images: int = 50) -> Together | None:
    batches = list(IMAGES.validation.batches(20, limit=images))
    return scores_together(net, archs, batches, calibration, IMAGES)


def alone(net: Supernet, archs: list[Arch], calibration: Calibration | None, images: int = 50) -> list[Any]:
    batches = list(IMAGES.validation.batches(20, limit=images))
    return [run_scores(net, arch, batches, calibration, IMAGES) for arch in archs]


def some(net: Supernet, count: int) -> list[Arch]:
    return net.space.wrap(net.space.population(np.random.default_rng(0), count))


@pytest.mark.parametrize("calibration", CALIBRATIONS)
def test_a_chain_scores_as_one_by_one(calibration: str) -> None:
    net = macro()
    archs = some(net, 30)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    found = together(net, archs, CALIBRATIONS[calibration])
    assert found is not None
    assert found.scores == alone(net, archs, CALIBRATIONS[calibration])
    assert found.saved > 50
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert not any("forward" in vars(module) for module in net.modules())


NETS: dict[str, Callable[[], Supernet]] = {
    "statistics of the batch": lambda: macro("batch"),
    "elastic widths, depths and resolutions": lambda: zoo.mbconv(resolutions=(6, 8), statistics="track"),
    "cells that read two states": lambda: zoo.darts(
        in_channels=1, num_classes=10, image_size=8, channels=2, layers=3, nodes=1, statistics="track"
    ),
    "blocks that may be skipped": lambda: zoo.dna(
        variant="tiny", num_classes=10, in_channels=1, image_size=8, width_multiplier=0.5, statistics="track"
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_so_do_other_networks(name: str) -> None:
    torch.manual_seed(0)
    net = NETS[name]()
    archs = some(net, 8)
    archs.append(archs[0])
    found = together(net, archs, CALIBRATIONS["pooled"], images=40)
    assert found is not None
    assert found.scores == alone(net, archs, CALIBRATIONS["pooled"], images=40)


def test_of_a_whole_space_each_beginning_runs_once_per_batch() -> None:
    """A stem of 3, one of which runs again as the next one writes to what it returned; four layers with a choice of
    three options; ten that follow. Of the whole space 9,840 layers with a choice run instead of 52,488."""
    net = macro()
    first = {name: net.space.choices[net.space.column(name)].options[:1] for name in net.space.names[4:]}
    archs = [net.space.arch(arch.options()) for arch in net.space.restrict(first).enumerate()]
    found = together(net, archs, None, images=20)
    assert found is not None
    assert len(archs) == 81
    assert found.runs == 3 + 1 + (3 + 9 + 27 + 81) + 81 * 10
    assert found.runs + found.saved == 81 * 17
    assert sum(3**depth for depth in range(1, 9)) * 5 < 8 * 6561


class Writes(nn.Module):
    """Writes into what the layer before it returned."""

    def forward(self, x: Tensor) -> Tensor:
        return x.add_(1.0)


def small(*between: nn.Module, twice: bool = False) -> Supernet:
    """A chain of images (1, 8, 8)."""
    torch.manual_seed(1)
    width = Choice("width", (4, 8))
    operation = OpChoice("op", {"max": nn.MaxPool2d(2), "average": nn.AvgPool2d(2)})
    layers = [ElasticConv2d(1, width, 3), ElasticBatchNorm2d(width, statistics="track"), *between, operation]
    if twice:
        layers.append(layers[-1])
    return Supernet(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), ElasticLinear(width, 3)))


def test_a_layer_that_writes_to_its_input_is_found_out() -> None:
    net, images = small(Writes()), blobs()
    archs = list(net.space.enumerate())
    batches = list(images.validation.batches(8, limit=24))
    found = scores_together(net, archs, batches, None, images)
    assert found is not None
    assert found.scores == [run_scores(net, arch, batches, None, images) for arch in archs]
    assert found.saved > 0


def test_a_layer_that_runs_twice_is_left_to_one_by_one() -> None:
    images = blobs()
    net = small(twice=True)
    batches = list(images.validation.batches(8, limit=8))
    assert scores_together(net, list(net.space.enumerate()), batches, None, images) is None
    assert not any("forward" in vars(module) for module in net.modules())


def test_an_output_that_is_not_finite_is_an_error_and_leaves_the_network_as_it_was() -> None:
    net, images = small(), blobs()
    with torch.no_grad():
        net.module[0].weight.fill_(float("nan"))  # type: ignore[index, union-attr]
    with pytest.raises(RunError, match="not finite"):
        scores_together(net, list(net.space.enumerate()), images.validation.batches(8, limit=8), None, images)
    assert not any("forward" in vars(module) for module in net.modules())
