"""The laws of `supernet.nn.laws`, for whole networks; and the analytic costs against counting on each of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from supernet import Supernet, measure, zoo
from supernet.nn.laws import LAWS, Law
from zoo_networks import SMALL, archs_of, count_macs, count_params

CHAINS = [name for name in SMALL if name.startswith(("shufflenetv2", "mobilenetv2", "cream", "mixpath"))]

TINY: dict[str, Callable[[], Supernet]] = {
    "shufflenetv2_spos": lambda: zoo.shufflenetv2_spos(
        num_classes=3,
        image_size=6,
        width_multiplier=0.15,
        depth_multiplier=(0.25, 0.5, 0.1, 0.25),
        head_width=8,
        channel_search=True,
        statistics="track",
    ),
    "mobilenetv2": lambda: zoo.mobilenetv2(
        variant="greedynas",
        num_classes=3,
        image_size=6,
        width_multiplier=0.05,
        depth_multiplier=(0.5, 0.25, 0.25, 0.25, 0.25, 1),
        head_width=8,
        affine=False,
        statistics="track",
    ),
    "cream": lambda: zoo.cream(
        variant="tiny",
        num_classes=3,
        image_size=6,
        depths=(1, 1, 1, 1, 1),
        width_multiplier=0.05,
        head_width=8,
        statistics="track",
    ),
    "attentivenas": lambda: zoo.attentivenas(
        num_classes=3,
        image_size=6,
        width_multiplier=0.08,
        depth_multiplier=0.25,
        resolutions=(6, 7),
        statistics="track",
        zero_gamma=False,
    ),
    "nasvit": lambda: zoo.nasvit(
        num_classes=3,
        image_size=6,
        width_multiplier=0.1,
        depth_multiplier=0.3,
        resolutions=(6, 7),
        window=None,
        statistics="track",
        zero_gamma=False,
    ),
    "mixpath": lambda: zoo.mixpath(
        paths=2, kernels=(3, 5), layers=3, width_multiplier=0.1, head_width=8, num_classes=3, image_size=6
    ),
}


DEEP = {"attentivenas", "nasvit", "shufflenetv2_spos", "mobilenetv2", "cream"}
"""Networks of many blocks, whose laws take seconds."""


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in DEEP else []) for n in TINY])
def test_networks_keep_the_laws(name: str, law: Law) -> None:
    torch.manual_seed(1)
    law(TINY[name](), lambda arch: torch.randn(4, 3, 6, 6))


@pytest.mark.parametrize("name", [CHAINS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in CHAINS[1:])])
def test_costs_without_building_are_the_counted_ones(name: str) -> None:
    build, shape = SMALL[name]
    net = build()
    archs = archs_of(net, 10)
    assert len({measure.macs(net, arch) for arch in archs}) > 5
    for arch in archs:
        subnet = net.extract(arch).eval()
        assert measure.macs(net, arch) == count_macs(subnet, torch.zeros(1, *shape[1:]))
        assert measure.params(net, arch) == count_params(subnet)
