"""OFA-ResNet50D: its counts, and costs that are those of ResNet-50-D where it is one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ofa_counts import resnet
from supernet import Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.nn.laws import LAWS, Law
from supernet.nn.norm import is_batch_norm
from supernet.zoo.elastic.ofa_resnet50d import TINY
from zoo_networks import archs_of, costs_are_the_counted_ones, count_macs, count_params, randomise_statistics


def tiny(**options: Any) -> Supernet:
    torch.manual_seed(0)
    return zoo.ofa_resnet50d(**{"num_classes": 5, "image_size": 28, **TINY, **options})


def test_the_space_is_that_of_the_released_code() -> None:
    """The stem runs its residual or not; widths of stem and stages; depths; an expansion for every block."""
    net = zoo.ofa_resnet50d(resolutions=(224,))
    widths = 2 * 3 * 3**4  # two of the three inner widths of the stem are 24
    assert net.space.size == 2 * widths * (3**2 + 3**3 + 3**4) ** 3 * (3**4 + 3**5 + 3**6)
    options = {choice.name: choice.options for choice in net.space.choices}
    assert options["stem.inner.width"] == (24, 32)
    assert options["stem.width"] == (40, 48, 64)
    assert [options[f"stage{s}.width"] for s in range(1, 5)] == [
        (168, 208, 256),
        (336, 408, 512),
        (664, 816, 1024),
        (1328, 1640, 2048),
    ]
    assert [options[f"stage{s}.depth"] for s in range(1, 5)] == [(2, 3, 4), (2, 3, 4), (4, 5, 6), (2, 3, 4)]
    assert options["stage1.block1.expansion"] == (0.2, 0.25, 0.35)


def test_a_part_of_it_is_resnet50d() -> None:
    """25.58 M parameters, as others' ResNet-50-D have."""
    net = zoo.ofa_resnet50d(resolutions=(224,))
    options = dict(net.space.largest().options())
    options |= dict.fromkeys([name for name in options if name.endswith("expansion")], 0.25)
    options |= {f"stage{s}.depth": depth for s, depth in enumerate((3, 4, 6, 3), start=1)}
    arch = net.space.arch(options)
    small = net.extract(arch).eval()
    found = resnet(arch, size=224)
    assert (count_macs(small, torch.zeros(1, 3, 224, 224)), count_params(small)) == (found.macs, found.params)
    assert found.params == 25_576_264
    assert round(found.macs / 1e9, 2) == 4.33


@pytest.mark.slow
def test_costs_follow_from_the_decisions() -> None:
    net = tiny(image_size=16, resolutions=(12, 16), widths=(0.5, 1.0), width_multiplier=0.5)
    archs = archs_of(net, 2)
    costs_are_the_counted_ones(net, archs)
    for arch in archs:
        size = int(arch["resolution"])  # type: ignore[call-overload]
        expected = resnet(arch, size=size, strides=(1, 1, 1, 1, 2, 2), classes=5)
        assert (measure.macs(net, arch), measure.params(net, arch)) == (expected.macs, expected.params)


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_the_laws_hold(law: Law) -> None:
    net = tiny(image_size=8, resolutions=(6, 8), statistics="track", widths=(0.5, 1.0))
    law(net, lambda arch: torch.randn(4, 3, 8, 8))


def test_both_inner_widths_are_sorted_apart() -> None:
    net = tiny()
    block = net.module.stages[0][1]  # type: ignore[index, union-attr]
    (second, last), (first, middle) = block.inner_channels()
    assert (second is block.inner[1], first is block.inner[0]) == (True, True)
    assert last is block.body[6]
    assert middle is block.body[3]
    assert isinstance(block.shortcut, nn.Identity)
    first = net.module.stages[3][0]  # type: ignore[index, union-attr]
    kinds = [type(layer).__name__ for layer in first.shortcut]
    assert (first.stride, kinds) == (2, ["AvgPool2d", "ElasticConv2d", "ElasticBatchNorm2d"])


def kinds(layers: nn.Module, kind: type[nn.Module]) -> list[Any]:
    return [layer for layer in layers.modules() if isinstance(layer, kind)]


def run(layers: nn.Module, x: Tensor) -> Tensor:
    """Convolutions with BatchNorm, and ReLU between them."""
    for place, conv in enumerate(kinds(layers, nn.Conv2d)):
        x = kinds(layers, nn.BatchNorm2d)[place](conv(x.relu() if place else x))
    return x


def test_stem_and_bottlenecks_compute_what_those_of_the_released_code_do() -> None:
    net = tiny(statistics="track")
    randomise_statistics(net, seed=1)
    small: Any = net.extract(net.space.largest()).eval()
    residual, first, second = small.stem[3][0], small.stages[3][0], small.stages[3][1]
    x = torch.randn(2, kinds(residual, nn.Conv2d)[0].in_channels, 5, 5)
    torch.testing.assert_close(residual(x), run(residual, x).relu() + x)
    x = torch.randn(2, kinds(first.body, nn.Conv2d)[0].in_channels, 5, 5)
    shortcut = run(first.shortcut, F.avg_pool2d(x, 2, ceil_mode=True))
    y = (run(first.body, x) + shortcut).relu()
    assert y.shape[2:] == (3, 3)
    torch.testing.assert_close(first(x), y)
    torch.testing.assert_close(second(y.clone()), (run(second.body, y) + y).relu())


def test_batch_norm_and_dropout_are_those_of_the_released_code() -> None:
    net = zoo.ofa_resnet50d(image_size=28, width_multiplier=0.125)
    assert {norm.eps for norm in net.modules() if is_batch_norm(norm)} == {1e-5}
    assert [layer.p for layer in kinds(net, nn.Dropout)] == [0.0]


def test_without_its_residual_the_stem_is_shorter() -> None:
    net = tiny().eval()
    full = net.space.largest()
    short = net.space.arch({**full.options(), "stem.depth": 0})
    x = torch.randn(2, 3, 28, 28)
    assert not torch.allclose(net(x, full), net(x, short))
    labels = [[node.label for node in net.module.diagram(arch).nodes] for arch in (full, short)]  # type: ignore[operator, union-attr]
    assert len(labels[0]) == len(labels[1]) + 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"widths": ()}, "The widths are"),
        ({"widths": (0.0, 1.0)}, "The widths are"),
        ({"expansions": (0.2, 0.2)}, "The expansions are"),
        ({"base_depths": (1, 1)}, "The base depths are"),
        ({"further": (-1,)}, "The further blocks are"),
        ({"further": (1, 1)}, "The further blocks are"),
        ({"resolutions": (4, 28)}, "The smallest resolution is 4"),
        ({"dropout": -0.1}, "The dropout is"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        tiny(**options)
