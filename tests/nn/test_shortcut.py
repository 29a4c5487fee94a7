"""The shortcut around a block: what stands on it, and when."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from supernet import Choice, Supernet, measure
from supernet.errors import UsageError
from supernet.nn import ElasticShortcut
from supernet.nn.laws import LAWS, Law


def between(first: tuple[int, ...], second: tuple[int, ...], *, stride: int = 1) -> ElasticShortcut:
    return ElasticShortcut(Choice("in", first), Choice("out", second), stride=stride)


def one_width(stride: int) -> ElasticShortcut:
    width = Choice("in", (4, 6))
    return ElasticShortcut(width, width, stride=stride)


CASES: dict[str, Callable[[], ElasticShortcut]] = {
    "widths that may differ": lambda: between((4, 6), (6, 8)),
    "widths that may differ, stride 2": lambda: between((4, 6), (4, 8), stride=2),
    "widths that always differ": lambda: between((4, 6), (8, 10)),
    "one width, stride 2": lambda: one_width(2),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("case", CASES)
def test_shortcuts_keep_the_laws(case: str, law: Law) -> None:
    torch.manual_seed(0)
    law(Supernet(CASES[case]()), lambda arch: torch.randn(3, arch["in"], 7, 7))


def test_a_convolution_stands_on_it_exactly_while_the_widths_differ() -> None:
    net = Supernet(between((4, 6), (6, 8), stride=2))
    kinds = {
        (arch["in"], arch["out"]): [type(layer) for layer in net.extract(arch).modules() if not list(layer.children())]
        for arch in net.space.enumerate()
    }
    assert kinds == {
        (4, 6): [nn.AvgPool2d, nn.Conv2d],
        (4, 8): [nn.AvgPool2d, nn.Conv2d],
        (6, 6): [nn.AvgPool2d],
        (6, 8): [nn.AvgPool2d, nn.Conv2d],
    }
    for arch in net.space.enumerate():
        differ = arch["in"] != arch["out"]
        assert measure.params(net, arch) == (arch["in"] * arch["out"] if differ else 0)
        (conv,) = (layer for layer in net.modules() if isinstance(layer, nn.Conv2d))
        assert conv.bias is None
    plain = Supernet(between((6,), (6, 8)))
    assert isinstance(plain.extract({"in": 6, "out": 6}), nn.Identity)


@pytest.mark.parametrize("side", [6, 7])
def test_pixels_are_averaged_before_the_convolution(side: int) -> None:
    layer = between((4,), (8,), stride=2)
    net, x = Supernet(layer), torch.randn(2, 4, side, side)
    padded = F.pad(x, (0, side % 2, 0, side % 2), mode="replicate")  # alone at the edge it is its own mean
    assert layer.conv is not None
    expected = F.conv2d(F.avg_pool2d(padded, 2), layer.conv.weight)
    torch.testing.assert_close(net(x, net.space.smallest()), expected)


def test_sizes_that_cannot_be_are_refused() -> None:
    for build in (
        lambda: ElasticShortcut(0, 4),
        lambda: ElasticShortcut(4, 0),
        lambda: ElasticShortcut(4, 4, stride=0),
    ):
        with pytest.raises(UsageError, match="at least 1"):
            build()
