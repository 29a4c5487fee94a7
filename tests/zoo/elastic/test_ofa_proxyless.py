"""OFA-ProxylessNAS: its counts and its costs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ofa_counts import Count, mobile
from supernet import Supernet, measure, zoo
from supernet.nn.norm import is_batch_norm
from supernet.zoo.elastic.ofa_proxyless import TINY
from zoo_networks import archs_of, costs_are_the_counted_ones, count_macs, count_params

STAGES = tuple((width, 1 if width in (96, 320) else 2, False) for width in (24, 40, 80, 96, 192, 320))


def counted(arch: Any, *, size: int, **options: Any) -> Count:
    return mobile(arch, size=size, stem=32, first=16, stages=STAGES, head=(1280,), single=6, **options)


def tiny(**options: Any) -> Supernet:
    torch.manual_seed(0)
    return zoo.ofa_proxyless(**{"num_classes": 5, "image_size": 28, **TINY, **options})


def test_the_space_is_the_published_one() -> None:
    net = zoo.ofa_proxyless(width_multiplier=0.1)
    assert net.space.size == 25 * 9 * (9**2 + 9**3 + 9**4) ** 5
    assert net.space.choices[net.space.column("resolution")].options == tuple(range(128, 225, 4))
    assert "stage6.depth" not in net.space.names
    assert [module.p for module in net.modules() if isinstance(module, nn.Dropout)] == [0.1]
    assert {"stage6.block1.kernel", "stage6.block1.expansion"} <= set(net.space.names)


def test_costs_at_the_published_width() -> None:
    """1.3 × the widths at 224 pixels; the digits are this count's."""
    net = zoo.ofa_proxyless(resolutions=(160, 224))
    for arch, macs, params in ((net.space.largest(), 1004.9, 7.942), (net.space.smallest(), None, 3.719)):
        small, size = net.extract(arch).eval(), int(arch["resolution"])  # type: ignore[call-overload]
        expected = counted(arch, size=size, width=1.3)
        assert (count_macs(small, torch.zeros(1, 3, 224, 224)), count_params(small)) == (expected.macs, expected.params)
        assert round(expected.params / 1e6, 3) == params
        assert macs is None or round(expected.macs / 1e6, 1) == macs


@pytest.mark.slow
def test_costs_follow_from_the_decisions() -> None:
    net = tiny(image_size=16, width_multiplier=0.4, resolutions=(12, 16))
    archs = archs_of(net, 2)
    costs_are_the_counted_ones(net, archs)
    for arch in archs:
        size = int(arch["resolution"])  # type: ignore[call-overload]
        expected = counted(arch, size=size, width=0.4, strides=(1, 1, 1, 1, 2, 1, 2, 1), classes=5)
        assert (measure.macs(net, arch), measure.params(net, arch)) == (expected.macs, expected.params)


def test_layers_are_those_of_the_released_code() -> None:
    net = tiny(width_multiplier=0.25)
    kinds = {type(module) for module in net.modules()}
    assert kinds & {nn.ReLU, nn.ReLU6, nn.Hardswish} == {nn.ReLU6}
    assert {norm.eps for norm in net.modules() if is_batch_norm(norm)} == {1e-3}
    assert not net.module.first.residual, "here both of its widths are 8"  # type: ignore[union-attr]
    stages = zoo.ofa_proxyless(image_size=28).module.stages
    assert [[block.residual for block in stage] for stage in stages] == [[False, True, True, True]] * 5 + [[False]]  # type: ignore[union-attr]
