"""Cream's space: published costs, the depths for a range of MACs, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from supernet import measure, zoo
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.zoo.chains.cream_depths import operations
from zoo_networks import count_macs, count_params

PUBLISHED = {
    14: ("3;33;33;3;3", 64, 13_188_608, 2_662_360, 2_673_096),
    43: ("3;31;31;333;33", 96, 40_655_232, 4_377_880, 4_398_600),
    114: ("3;33;33;333;33", 160, 109_623_680, 4_389_400, 4_410_120),
    287: ("3;33;313;3333;333", 224, 276_262_016, 6_014_080, 6_044_368),
    481: ("3431;3230;33311;3333;3333", 224, 460_398_080, 7_670_672, 7_713_360),
    604: ("33233;32323;32323;332233;332333", 224, 578_698_368, 9_640_648, 9_695_624),
}
"""By the millions of operations in its name: text, resolution, MACs, and weights without and with BatchNorm."""


def network(text: str, image_size: int) -> Supernet:
    depths = [len(part) for part in text.split(";")]
    return zoo.cream(depths=depths, image_size=image_size, strides=(2, 2, 2, 2, 1, 2))


def operations_of(subnet: nn.Module, x: torch.Tensor) -> int:
    """As thop counts, from which the published figures are: MACs, 2 for each feature of BatchNorm, pools."""
    found: list[int] = []

    def norm(_: nn.Module, given: tuple[torch.Tensor, ...], result: torch.Tensor) -> None:
        found.append(2 * result.numel())

    def pool(_: nn.Module, given: tuple[torch.Tensor, ...], result: torch.Tensor) -> None:
        found.append(result.shape[1] * (given[0].shape[2] * given[0].shape[3] + 1))

    for module in subnet.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(norm)
        elif isinstance(module, nn.AdaptiveAvgPool2d):
            module.register_forward_hook(pool)
    return count_macs(subnet, x) + sum(found)


@pytest.mark.parametrize("millions", [pytest.param(n, marks=[pytest.mark.slow] if n > 50 else []) for n in PUBLISHED])
def test_published_networks_cost_what_is_published(millions: int) -> None:
    text, side, macs, bare, params = PUBLISHED[millions]
    net = network(text, side)
    arch = zoo.cream_arch(net.space, text)
    assert (measure.macs(net, arch), measure.params(net, arch, norm=False), measure.params(net, arch)) == (
        macs,
        bare,
        params,
    )
    subnet = net.extract(arch).eval()
    assert count_params(subnet) == params
    counted = operations_of(subnet, torch.zeros(1, 3, side, side)) / 1e6
    assert abs(counted - millions) < (1 if millions < 600 else 2), counted


def test_a_stage_of_one_block_keeps_its_own_unless_the_text_is_to_be_taken_at_its_word() -> None:
    net = network("3;33;33;3;3", 64)
    assert [str(o) for o in zoo.cream_arch(net.space, "3;33;33;3;3").options().values()] == [
        *("MB4_K3", "MB6_K5", "MB6_K5", "MB6_K5", "MB6_K5", "MB6_K3", "MB6_K5")
    ]
    assert set(zoo.cream_arch(net.space, "3;33;33;3;3", retrained=False).options().values()) == {"MB6_K5"}


def test_numbers_are_kernels_with_expansions() -> None:
    net = network("012;345;33;3;3", 64)
    options = list(zoo.cream_arch(net.space, "012;345;33;3;3").options().values())
    assert options[:6] == ["MB4_K3", "MB6_K3", "MB4_K5", "MB6_K5", "MB4_K7", "MB6_K7"]
    assert net.space.smallest()["stage1.layer1"] == "MB4_K3"
    assert net.space.largest()["stage1.layer1"] == "MB6_K7"


@pytest.mark.parametrize(
    ("high", "depths", "side"),
    [
        (600, (4, 4, 4, 4, 4), 224),
        (500, (2, 4, 4, 4, 4), 224),
        (400, (2, 2, 4, 4, 3), 224),
        (300, (1, 2, 3, 3, 3), 224),
        (200, (1, 1, 3, 2, 1), 224),
        (100, (1, 1, 1, 1, 1), 224),
        (50, (1, 1, 1, 1, 1), 160),
    ],
)
def test_depths_are_those_of_the_released_code(high: int, depths: tuple[int, ...], side: int) -> None:
    assert zoo.cream_depths(high=high * 1e6) == (depths, side)


def test_a_lower_bound_makes_the_network_deeper_than_the_upper_one_would() -> None:
    shallow = zoo.cream_depths(high=300e6).depths
    deep = zoo.cream_depths(low=299e6, high=300e6).depths
    assert sum(deep) > sum(shallow)
    assert all(a >= b for a, b in zip(deep, shallow, strict=True))


def test_operations_are_those_of_the_released_table() -> None:
    """Millions for 224 pixels: the first block of a stage, and one inside it."""
    table = {
        (0, 0): (21.828704, 18.820752),
        (0, 5): (44.711568, 46.22384),
        (1, 2): (13.01288, 13.87416),
        (2, 4): (9.4524, 13.50512),
        (3, 1): (18.028752, 23.46096),
        (4, 5): (18.136032, 25.40832),
    }
    for (stage, number), counted in table.items():
        found = tuple(operations(stage, number, first=first) / 1e6 for first in (True, False))
        assert found == pytest.approx(counted, abs=1e-9), (stage, number)


def test_ranges_that_nothing_fits_are_refused() -> None:
    for bounds in ({"low": 700e6, "high": 800e6}, {"high": 0.5e6}):
        with pytest.raises(UsageError, match="No depth and resolution"):
            zoo.cream_depths(**bounds)
    with pytest.raises(UsageError, match="0 ≤ low ≤ high"):
        zoo.cream_depths(low=2e6, high=1e6)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"variant": "small"}, "use one of"),
        ({"depths": (1, 1, 1)}, "five whole numbers"),
        ({"depths": (1, 1, 1, 1, 0)}, "five whole numbers"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        zoo.cream(**options)  # type: ignore[arg-type]


def test_texts_that_do_not_fit_are_refused() -> None:
    net = network("3;33;33;3;3", 64)
    for text in ("3;33;33;3", "3;33;33;33;3", "3;36;33;3;3", ""):
        with pytest.raises(UsageError, match="does not name an architecture"):
            zoo.cream_arch(net.space, text)
    with pytest.raises(UsageError, match=r"zoo\.cream"):
        zoo.cream_arch(zoo.mobilenetv2(image_size=32, width_multiplier=0.1).space, "3;33;33;3;3")


def test_the_gate_is_the_one_of_the_released_code() -> None:
    net = zoo.cream(variant="tiny", image_size=8)
    gates = [m for m in net.modules() if type(m).__name__ == "SqueezeExcite"]
    assert len(gates) == 1 + 6 * 6
    for gate in gates:
        kinds = [type(layer).__name__ for layer in gate.gate]  # type: ignore[union-attr, arg-type]
        assert kinds == ["AdaptiveAvgPool2d", "ElasticConv2d", "ReLU", "ElasticConv2d", "Hardsigmoid"]
