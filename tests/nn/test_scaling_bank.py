"""Switchable scaling: which number of the table a channel is multiplied by."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from supernet import Choice, Supernet, measure
from supernet.errors import UsageError
from supernet.nn import ElasticDepth, ElasticResolution, ScalingBank
from supernet.nn.laws import LAWS, Law

WIDTH, DEPTH, SIDE = Choice("width", (4, 8)), Choice("depth", (2, 3)), Choice("side", (3, 4, 5))


def bank() -> ScalingBank:
    made = ScalingBank(WIDTH, DEPTH, SIDE * SIDE)
    with torch.no_grad():
        made.table.copy_(torch.arange(made.table.numel()).view_as(made.table))
    return made


@pytest.mark.parametrize("law", LAWS)
def test_it_keeps_the_laws(law: Law) -> None:
    torch.manual_seed(0)
    law(Supernet(bank()), lambda arch: torch.randn(2, arch["side"] ** 2, arch["width"]))


def test_depth_and_tokens_pick_the_row() -> None:
    net, table = Supernet(bank()), bank().table
    assert table.shape == (8, 10, 8)
    for arch in net.space.enumerate():
        c, tokens = arch["width"], arch["side"] ** 2
        found = net(torch.ones(1, tokens, c), arch)
        expected = table[:c, arch["depth"], {9: 1, 16: 0, 25: 1}[tokens]] * 8 / c
        torch.testing.assert_close(found, expected.expand(1, tokens, c))


def test_only_the_row_that_is_picked_learns() -> None:
    made = bank()
    net = Supernet(made)
    net(torch.ones(1, 16, 4), {"width": 4, "depth": 3, "side": 4}).sum().backward()
    assert made.table.grad is not None
    assert made.table.grad.nonzero().tolist() == [[channel, 3, 0] for channel in range(4)]
    assert made.table.grad[:4, 3, 0].tolist() == [16 * 8 / 4] * 4


def test_it_starts_at_a_ten_thousandth() -> None:
    assert ScalingBank(4, 3, 9).table.unique().tolist() == pytest.approx([1e-4])


def test_a_subnet_has_one_row_and_multiplies_no_matrix() -> None:
    body = nn.Sequential(ElasticResolution(SIDE), nn.Flatten(2), _Tokens(), ElasticDepth(DEPTH, _layers()))
    net = Supernet(body, input_shape=(4, 4, 4))
    for arch in net.space.enumerate():
        assert measure.params(net, arch) == measure.count_params(net.extract(arch)) == 4 * arch["depth"]
        assert measure.macs(net, arch) == 0


class _Tokens(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.transpose(1, 2)


def _layers() -> list[nn.Module]:
    return [ScalingBank(4, DEPTH, SIDE * SIDE) for _ in range(3)]


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: ScalingBank(4, Choice("depth", (2, 10)), 9), r"rows=\(11, 8\)"),
        (lambda: ScalingBank(0, 3, 9), "width 0"),
        (lambda: ScalingBank(4, 3, 9, rows=(4, 0)), "number of remainders 0"),
        (
            lambda: Supernet(bank())(torch.ones(1, 9, 4), {"width": 4, "depth": 2, "side": 4}),
            "for 16 tokens .* given 9",
        ),
        (lambda: Supernet(bank())(torch.ones(1, 16, 8), {"width": 4, "depth": 2, "side": 4}), "got 8 input channels"),
    ],
)
def test_what_does_not_fit_is_refused(build: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        build()
