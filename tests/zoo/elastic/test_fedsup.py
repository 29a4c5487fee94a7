"""The space of FedSup: its size, and its costs, counted by a formula written for the test."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from supernet import Supernet, zoo
from supernet.errors import UsageError
from supernet.measure import cost_model
from supernet.nn import ElasticParametricNorm2d
from supernet.space import Arch
from supernet.zoo.elastic.fedsup import TINY
from zoo_networks import archs_of, computes_the_same_in_onnx, costs_are_the_counted_ones


@cache
def whole(classes: int = 10) -> Supernet:
    return zoo.fedsup(num_classes=classes)


def counted(arch: Arch, classes: int, *, unused: bool) -> tuple[int, int]:
    """Parameters and MACs of an architecture; with `unused`, of shortcut convolutions too that never run."""
    side, width = 16, 32
    params, macs = 27 * 32 + 3 * 32, 27 * 32 * side**2
    for number, stride in enumerate((1, 2, 2, 2), start=1):
        out, kernel = int(arch[f"stage{number}.width"]), int(arch[f"stage{number}.kernel"])  # type: ignore[arg-type]
        depth = 1 if number == 1 else int(arch[f"stage{number}.depth"])  # type: ignore[arg-type]
        for place in range(depth):
            side //= 1 if place else stride
            params += kernel**2 * width + 3 * width + width * out + 3 * out
            macs += (kernel**2 * width + width * out) * side**2
            if width != out:
                macs += width * out * side**2
            if width != out or unused:
                params += width * out
            width = out
    return params + (width + 1) * classes, macs + width * classes


def test_the_space_has_the_published_size() -> None:
    space = whole().space
    assert space.size == 2**4 * 2**3 * 3**4 == 10_368
    assert {choice.name: choice.options for choice in space.choices if "stage3" in choice.name} == {
        "stage3.width": (128, 256),
        "stage3.depth": (1, 2),
        "stage3.kernel": (3, 5, 7),
    }


@pytest.mark.parametrize(("classes", "least", "most"), [(10, 0.165, 2.989), (100, 0.211, 3.082)])
def test_costs_are_those_of_the_formula_and_the_formula_is_the_released_count(
    classes: int, least: float, most: float
) -> None:
    net, ends = whole(classes), []
    costs = cost_model(net)
    for arch in (net.space.smallest(), net.space.largest()):
        assert (costs.params(arch), costs.macs(arch)) == counted(arch, classes, unused=False)
        ends.append(round(counted(arch, classes, unused=True)[0] / 1e6, 3))
    assert ends == [least, most]


def test_parametric_or_batch_norm() -> None:
    kinds = [type(layer) for layer in whole().modules()]
    assert kinds.count(ElasticParametricNorm2d) == 1 + 2 * 7
    batch = zoo.fedsup(norm="batch", statistics="track")
    assert ElasticParametricNorm2d not in map(type, batch.modules())
    with pytest.raises(UsageError, match="parametric normalisation keeps none"):
        zoo.fedsup(statistics="track")
    with pytest.raises(UsageError, match="'parametric' or 'batch'; got norm='layer'"):
        zoo.fedsup(norm="layer")  # type: ignore[arg-type]


def test_every_block_starts_as_its_shortcut() -> None:
    net = whole()
    blocks = [block for stage in net.module.stages for block in stage]
    assert len(blocks) == 7
    x = torch.randn(2, 32, 8, 8)
    with net.active(net.space.smallest()), torch.no_grad():
        torch.testing.assert_close(blocks[0](x), x)


@cache
def small() -> Supernet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = zoo.fedsup(**TINY, in_channels=1, image_size=8, num_classes=3)
        for parameter in net.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
        return net


def test_small_images_keep_a_map_of_four_by_four() -> None:
    seen: list[Any] = []
    handle = small().module.stages.register_forward_hook(lambda module, given, out: seen.append(out.shape))
    small()(torch.randn(2, 1, 8, 8), small().space.largest())
    handle.remove()
    assert seen[0][-2:] == (4, 4)


def test_costs_of_a_small_one_are_the_counted_ones() -> None:
    costs_are_the_counted_ones(small(), archs_of(small(), 2))


@pytest.mark.slow
def test_a_small_one_is_exported(tmp_path: Path) -> None:
    computes_the_same_in_onnx(small(), archs_of(small(), 2)[2], tmp_path)
