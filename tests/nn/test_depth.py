"""Elastic depth and resolution."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from supernet import Choice, ElasticDepth, ElasticResolution, Supernet
from supernet.errors import UsageError


def test_only_the_first_blocks_run() -> None:
    blocks = [nn.Linear(3, 3) for _ in range(4)]
    net = Supernet(ElasticDepth(Choice("depth", (0, 2, 4)), blocks))
    ran: list[int] = []
    for i, block in enumerate(blocks):
        block.register_forward_hook(lambda *_, i=i: ran.append(i))
    x = torch.randn(5, 3)
    for arch in net.space.enumerate():
        ran.clear()
        y = net(x, arch)
        assert ran == list(range(arch["depth"]))
        expected = x
        for block in blocks[: arch["depth"]]:
            expected = block(expected)
        assert torch.equal(y, expected)
        assert len(net.extract(arch)) == arch["depth"]


def test_blocks_beyond_the_depth_get_no_gradient() -> None:
    blocks = [nn.Linear(3, 3) for _ in range(3)]
    net = Supernet(ElasticDepth(Choice("depth", (1, 3)), blocks))
    net(torch.randn(2, 3), net.space.smallest()).sum().backward()
    assert [block.weight.grad is None for block in blocks] == [False, True, True]


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        (Choice("depth", (1, 4)), "takes values from 1 to 4, but the stage has 2 blocks"),
        (Choice("depth", (-1, 2)), "depth depth can be -1; it must be a whole number of at least 0"),
        (3, "takes values from 3 to 3"),
    ],
)
def test_impossible_depths_are_refused(depth: Choice | int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ElasticDepth(depth, [nn.Identity(), nn.Identity()])


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_resolution_interpolates_or_passes(mode: str) -> None:
    net = Supernet(ElasticResolution(Choice("side", (4, 6, 8)), mode=mode))
    x = torch.randn(2, 3, 6, 6)
    for arch in net.space.enumerate():
        expected = F.interpolate(x, size=arch["side"], mode=mode, align_corners=False)
        torch.testing.assert_close(net(x, arch), expected)
    assert net(x, net.space.arch({"side": 6})) is x


def test_impossible_resolutions_are_refused() -> None:
    with pytest.raises(UsageError, match="interpolation 'nearest' is not supported; use 'bilinear' or 'bicubic'"):
        ElasticResolution(4, mode="nearest")
    with pytest.raises(UsageError, match="resolution side can be 0"):
        ElasticResolution(Choice("side", (0, 4)))
