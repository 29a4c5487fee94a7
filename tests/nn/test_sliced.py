"""Modules of any class made elastic in place, by the laws of every layer."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from supernet import Choice, Supernet
from supernet.errors import UsageError
from supernet.nn.laws import LAWS, Law
from supernet.nn.layout import Layout
from supernet.nn.sliced import leave_statistics, sliced
from supernet.space import Arch

HEADS, DIM = 4, 3


class Attention(nn.Module):
    """As in many libraries: one projection for queries, keys and values, and its number of heads as an attribute."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_heads, self.scale = HEADS, DIM**-0.5
        self.qkv, self.out = nn.Linear(width, 3 * HEADS * DIM), nn.Linear(HEADS * DIM, width)

    def forward(self, x: Tensor) -> Tensor:
        B, T, _ = x.shape
        q, k, v = self.qkv(x).reshape(B, T, 3, self.num_heads, DIM).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * self.scale).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(B, T, -1))


class Own(nn.Module):
    """A class of the caller with a parameter, a buffer, a layer and a number of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.size, self.token = 6, nn.Parameter(torch.randn(1, 1, 6))
        self.layer = nn.Linear(6, 4)
        self.register_buffer("shift", torch.randn(6))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(torch.cat([x, self.token.expand(len(x), -1, -1)], 1) + self.get_buffer("shift"))
        return y * self.size


def attention() -> Supernet:
    heads = Choice("heads", (1, 2, 4))
    module = Attention(6)
    inner = Layout.product(Layout.of(HEADS, heads), Layout.of(DIM))
    rows = Layout.product(Layout.of(3), Layout.of(HEADS, heads), Layout.of(DIM))
    sliced(module.qkv, {"weight": (rows, Layout.of(6)), "bias": (rows,)}, {"out_features": rows.width})
    sliced(module.out, {"weight": (Layout.of(6), inner)}, {"in_features": inner.width})
    sliced(module, {}, {"num_heads": heads})
    return Supernet(module)


def own() -> Supernet:
    width = Choice("width", (2, 5, 6))
    module, axis = Own(), Layout.of(6, width)
    sliced(module, {"token": (Layout.of(1), Layout.of(1), axis), "shift": (axis,)}, {"size": width})
    sliced(module.layer, {"weight": (Layout.of(4), axis)}, {"in_features": width})
    return Supernet(module)


def joined(statistics: str = "calibrate") -> Supernet:
    """A BatchNorm over the channels of two convolutions, of which the first is elastic: no prefix."""
    width = Choice("width", (1, 2, 4))

    class Joined(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.norm = nn.Conv2d(2, 4, 1), nn.Conv2d(2, 3, 1), nn.BatchNorm2d(7)
            self.out = nn.Conv2d(7, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.out(self.norm(torch.cat([self.a(x), self.b(x)], 1)))
            return found

    module, axis = Joined(), Layout.concatenation(Layout.of(4, width), Layout.of(3))
    sliced(module.a, {"weight": (Layout.of(4, width), *map(Layout.of, (2, 1, 1))), "bias": (Layout.of(4, width),)}, {})
    names = ("weight", "bias", "running_mean", "running_var")
    sliced(module.norm, dict.fromkeys(names, (axis,)), {"num_features": axis.width})
    sliced(module.out, {"weight": (Layout.of(2), axis, Layout.of(1), Layout.of(1))}, {"in_channels": axis.width})
    if statistics == "calibrate":
        leave_statistics(module.norm)
    with torch.no_grad():
        module.norm.running_mean.copy_(torch.randn(7))  # type: ignore[union-attr]
        module.norm.running_var.copy_(torch.rand(7) + 0.5)  # type: ignore[union-attr]
    return Supernet(module)


def tokens(arch: Arch) -> Tensor:
    return torch.randn(2, 5, 6)


def images(arch: Arch) -> Tensor:
    return torch.randn(3, 2, 4, 4)


@pytest.mark.parametrize("law", LAWS)
def test_laws(law: Law) -> None:
    torch.manual_seed(0)
    law(attention(), tokens)
    law(own(), lambda arch: torch.randn(2, 5, arch["width"]))
    law(joined("track"), images)


def test_the_classes_come_back() -> None:
    net = own()
    small = net.extract(net.space.smallest())
    assert type(small) is Own
    assert (small.size, small.token.shape, small.layer.in_features) == (2, (1, 1, 2), 2)
    assert net.module.size == 6  # outside, an attribute is that of the largest


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_follow_their_own_selection(copied) -> None:  # type: ignore[no-untyped-def]
    net = attention()
    other, arch, x = copied(net), net.space.smallest(), torch.randn(1, 5, 6)
    assert torch.equal(other(x, arch), net(x, arch))
    with torch.no_grad():
        other.module.out._parameters["weight"].zero_()
    assert not torch.equal(other(x, arch), net(x, arch))


def test_statistics_of_channels_that_are_no_prefix_are_written_back() -> None:
    net, x = joined("track"), torch.randn(8, 2, 4, 4)
    arch = net.space.arch({"width": 2})
    norm = net.module.norm
    before = norm._buffers["running_mean"].clone()
    net.train()(x, arch)
    moved = norm._buffers["running_mean"] != before
    assert moved.tolist() == [True, True, False, False, True, True, True]
    alone = net.extract(arch).train()
    alone(x)
    net(x, arch)
    torch.testing.assert_close(norm._buffers["running_mean"][moved], alone.norm.running_mean)


def test_a_supernet_leaves_statistics_alone_and_a_subnet_tracks_them() -> None:
    net, x = joined(), torch.randn(8, 2, 4, 4)
    before = net.module.norm._buffers["running_mean"].clone()
    net.train()(x, net.space.largest())
    assert torch.equal(net.module.norm._buffers["running_mean"], before)
    alone = net.extract(net.space.largest()).train()
    alone(x)
    assert alone.norm.momentum == 0.1
    assert not torch.equal(alone.norm.running_mean, before)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'weight' of Linear was to have the sizes \(3, 2\); it has \(2, 3\)"):
        sliced(nn.Linear(3, 2), {"weight": (Layout.of(3), Layout.of(2))}, {})
    with pytest.raises(UsageError, match="Linear has no attribute 'width' that could follow a choice"):
        sliced(nn.Linear(3, 2), {}, {"width": 3})
