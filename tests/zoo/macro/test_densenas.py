"""DenseNAS's spaces: published networks, connections, and what a route leaves of them."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from supernet import measure, zoo
from supernet.errors import UsageError
from supernet.nn.routes import routes_of
from supernet.space.ways import Ways
from supernet.zoo.macro.densenas import PLANS
from zoo_networks import count_macs, count_params


def rows(*blocks: tuple[int, str]) -> list[list]:
    """Rows of a `net_config`, of operations written as kernel and expansion."""
    widths = [16, *(width for width, _ in blocks)]
    named = [[f"mbconv_k{op[0]}_t{op[1]}" for op in ops.split()] for _, ops in blocks]
    return [[list(pair), ops[0], ops[1:]] for pair, ops in zip(pairwise(widths), named, strict=True)]


# A and B as drawn in the repository (imgs/archs.png), C its default net_config.
A = rows((24, "33"), (48, "76 73"), (72, "56 33 53"), (128, "33 33"), (176, "33 36 33 36"), (384, "56"))
B = rows(
    (24, "36"), (48, "53 33 33"), (72, "36 33 53"), (128, "36 33"), (160, "36 33 56 53"), (176, "33 36 36"), (384, "76")
)
C = rows(
    (24, "36"), (48, "76 33"), (72, "56 36 33"), (128, "36 33 33"), (160, "36 73 56 73"), (176, "33 36 36 36"),
    (384, "76"),
)  # fmt: skip


@pytest.mark.slow  # 60 million weights
def test_the_published_networks_cost_what_is_published() -> None:
    net = zoo.densenas(affine=True)
    found = {}
    for name, config in {"A": A, "B": B, "C": [*config_ends(C)]}.items():
        subnet = net.extract(zoo.densenas_arch(net, config)).eval()
        found[name] = count_macs(subnet, torch.zeros(1, 3, 224, 224)), count_params(subnet)
    # Published: 251 M, 314 M, 361 M multiply-adds.
    assert found == {"A": (251_334_416, 4_767_920), "B": (313_580_096, 5_584_080), "C": (360_808_256, 6_134_144)}
    assert measure.params(net, zoo.densenas_arch(net, C), norm=False) == 6_085_536


def config_ends(config):
    return [[[16, 16], "mbconv_k3_t1", [], 0, 1], *config, [[384, 1984], "conv1_1"]]


def test_blocks_are_connected_as_in_the_released_code() -> None:
    mobile, res = (Ways(PLANS[name].following()) for name in ("mobilenetv2", "resnet"))
    assert (mobile.last, res.last) == (17, 21)
    assert mobile.following[0] == (1,)
    assert mobile.following[1] == (2, 3, 4)
    assert mobile.following[4] == (5, 6, 7)
    assert [n for n in range(17) if 17 in mobile.following[n]] == [14, 15, 16]
    assert [n for n in range(21) if 21 in res.following[n]] == [18, 19, 20]
    assert (mobile.count, res.count) == (15_456, 540_225)
    assert max(map(len, mobile.following)) == 4
    assert max(map(len, res.following)) == 6
    assert PLANS["resnet"].reach == 10
    assert len(PLANS["resnet"].widths) == 21
    assert PLANS["resnet"].widths[-1] == 512
    assert PLANS["mobilenetv2"].layers == (0, *[3] * 13, 0, 0, 0)


@pytest.fixture(scope="module")
def net():
    return zoo.densenas(variant="tiny", num_classes=10, in_channels=1, image_size=8)


@pytest.mark.slow
def test_the_size_is_that_of_the_sum_over_routes(net) -> None:
    routes, layers = routes_of(net), PLANS["tiny"].layers
    heads = {route: 2 ** (len(route) - 2) for route in routes.ways.routes()}
    assert net.space.size == sum(n * 3 ** sum(layers[b] for b in route[1:-1]) for route, n in heads.items())
    big = zoo.densenas(image_size=32, width_multiplier=0.05)
    wanted = sum(
        6 ** (len(route) - 2) * 7 ** sum(PLANS["mobilenetv2"].layers[b] for b in route[1:-1])
        for route in routes_of(big).ways.routes()
    )
    assert big.space.size == wanted > 10**45


@pytest.mark.parametrize("options", [{}, {"last_conv": False}, {"variant": "resnet", "width_multiplier": 0.1}])
def test_what_is_taken_out_computes_and_costs_the_same(options) -> None:
    given = {"variant": "tiny", "num_classes": 10, "in_channels": 1, "image_size": 8, **options}
    net = zoo.densenas(**given).train()
    x = torch.rand(3, 1, 8, 8)
    for arch in net.space.wrap(net.space.population(np.random.default_rng(0), 3)):
        subnet = net.extract(arch)
        torch.testing.assert_close(net(x, arch), subnet(x))
        assert measure.params(net, arch) == count_params(subnet)
        names = {node.label for node in net.module.diagram(arch).nodes}
        assert "skip" not in names
        assert len(names) > 3


def test_macs_of_populations_are_those_of_what_is_taken_out(net) -> None:
    archs = net.space.wrap(net.space.population(np.random.default_rng(1), 6))
    counted = [count_macs(net.extract(arch).eval(), torch.zeros(1, 1, 8, 8)) for arch in archs]
    assert [measure.macs(net, arch) for arch in archs] == counted
    assert measure.macs(net, net.space.smallest()) < min(counted) < measure.macs(net, net.space.largest())


def test_what_is_no_architecture_is_refused(net) -> None:
    with pytest.raises(UsageError, match="The variant 'vgg' does not exist"):
        zoo.densenas(variant="vgg")
    with pytest.raises(UsageError, match="no block of 48 channels"):
        zoo.densenas_arch(net, C[1:2])
    with pytest.raises(UsageError, match="Block 1 has 1 stacked layers"):
        zoo.densenas_arch(net, [[[8, 12], "mbconv_k3_t3", ["mbconv_k3_t3"] * 2], [[12, 24], "mbconv_k3_t3", []]])
