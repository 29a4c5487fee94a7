"""NAT's space: the released subnets to their costs, two widths that share nothing, and Mish."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from supernet import Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.zoo.elastic.nat_mobilenetv3 import TINY
from zoo_networks import count_macs, count_params

RELEASED = {  # width, side, kernels and expansions of the blocks that run by stage; M parameters, M MACs (counted)
    "M1": (1.0, 224, "33 333 553 555 5533", "33 344 443 433 6666", 6.07, 222.6),
    "M2": (1.2, 224, "33 73 775 37 7333", "33 33 433 64 6663", 7.69, 302.9),
    "M3": (1.2, 224, "533 5353 5533 5735 7333", "333 4443 4633 6664 6663", 9.07, 482.4),
    "M4": (1.2, 240, "353 5535 7535 3573 3353", "343 4463 6634 6664 6663", 9.14, 599.7),
}
PUBLISHED = {"M1": 225, "M2": 312, "M3": 490, "M4": 600}
"""MACs in millions as the authors state them."""


def arch_of(name: str) -> dict[str, Any]:
    width, side, kernels, expansions, _, _ = RELEASED[name]
    found: dict[str, Any] = {"width": width, "resolution": side}
    for s, (of_kernel, of_expansion) in enumerate(zip(kernels.split(), expansions.split(), strict=True), start=1):
        found[f"stage{s}.depth"] = len(of_kernel)
        for b, (kernel, expansion) in enumerate(zip(of_kernel, of_expansion, strict=True), start=1):
            found |= {f"stage{s}.block{b}.kernel": int(kernel), f"stage{s}.block{b}.expansion": int(expansion)}
    return found


def tiny(**options: Any) -> Supernet:
    torch.manual_seed(0)
    return zoo.nat_mobilenetv3(**{"num_classes": 5, "image_size": 28, **TINY, **options})


@pytest.fixture(scope="module")
def published() -> Supernet:
    return zoo.nat_mobilenetv3()


@pytest.mark.slow  # half a minute for the costs of a space of this size
@pytest.mark.parametrize("name", RELEASED)
def test_released_subnets_have_their_costs(published: Supernet, name: str) -> None:
    arch = published.space.arch(arch_of(name))
    assert measure.params(published, arch) / 1e6 == pytest.approx(RELEASED[name][4], abs=0.005)
    assert round(measure.macs(published, arch) / 1e6, 1) == RELEASED[name][5]
    assert measure.macs(published, arch) / 1e6 == pytest.approx(PUBLISHED[name], rel=0.035)


def test_the_space_has_two_widths_and_seventeen_resolutions(published: Supernet) -> None:
    space = published.space
    assert space.size == 2 * 17 * 7371**5
    assert space.allowed("resolution") == tuple(range(192, 257, 4))
    assert space.allowed("width") == (1.0, 1.2)


def test_every_activation_but_those_of_the_gates_is_mish() -> None:
    net = tiny()
    kinds = {type(module) for module in net.modules()} & {nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.Mish}
    assert kinds == {nn.Mish, nn.ReLU}
    gates = [module for name, module in net.named_modules() if isinstance(module, nn.ReLU) and "gate" not in name]
    assert not gates


def test_the_widths_share_no_weight() -> None:
    net = tiny()
    x = torch.randn(4, 3, 28, 28)
    before = {}
    for width in net.space.allowed("width"):
        arch = net.space.arch({**net.space.largest().options(), "width": width})
        net.zero_grad()
        net(x, arch).sum().backward()
        before[width] = {name for name, p in net.named_parameters() if p.grad is not None}
    small, large = before.values()
    assert small
    assert not small & large


def test_an_extracted_subnet_is_of_its_width_and_computes_the_same() -> None:
    net = tiny(statistics="batch").train()
    x = torch.randn(4, 3, 28, 28)
    for width in net.space.allowed("width"):
        arch = net.space.arch({**net.space.smallest().options(), "width": width})
        small = net.extract(arch).train()
        assert torch.allclose(small(x), net(x, arch), atol=1e-5)
        assert count_params(small) == measure.params(net, arch)
        assert count_macs(small, x[:1]) == measure.macs(net, arch)
        assert net.module.diagram(arch).nodes  # type: ignore[operator]


def test_one_width_is_no_choice_and_wrong_ones_are_refused() -> None:
    assert "width" not in tiny(width_multipliers=(0.25,)).space.names
    for widths in ((), (0.5, 0.5), (0.0,)):
        with pytest.raises(UsageError, match="width multipliers are"):
            tiny(width_multipliers=widths)
