"""Elastic layers of series, volumes and indices: slices against torch's own layers, costs, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from supernet import (
    Choice,
    ElasticBatchNorm1d,
    ElasticConv1d,
    ElasticConvTranspose2d,
    ElasticEmbedding,
    ElasticGroupNorm,
    ElasticLinear,
    Supernet,
    measure,
)
from supernet.errors import UsageError
from supernet.nn import ElasticConv3d, Field, Inputs


def test_series_and_volumes_take_the_centre_and_the_prefix() -> None:
    for kind, convolve, sides in ((ElasticConv1d, F.conv1d, (11,)), (ElasticConv3d, F.conv3d, (5, 7, 6))):
        layer = kind(Choice("in", (2, 4)), Choice("out", (3, 5)), Choice("k", (1, 3, 5)))
        net = Supernet(layer)
        for arch in net.space.enumerate():
            c_in, c_out, k = arch["in"], arch["out"], arch["k"]
            x, margin = torch.randn(2, c_in, *sides), (5 - k) // 2
            centre = (slice(0, c_out), slice(0, c_in), *[slice(margin, 5 - margin)] * len(sides))
            expected = convolve(x, layer.weight[centre], layer.bias[:c_out], padding=k // 2)
            torch.testing.assert_close(net(x, arch), expected)


def test_a_transposed_convolution_takes_prefixes_and_grows() -> None:
    layer = ElasticConvTranspose2d(Choice("in", (2, 4)), Choice("out", (3, 5)), 4, stride=2, padding=1)
    net = Supernet(layer)
    for arch in net.space.enumerate():
        x = torch.randn(2, arch["in"], 5, 6)
        weight, bias = layer.weight[: arch["in"], : arch["out"]], layer.bias[: arch["out"]]
        out = net(x, arch)
        assert out.shape == (2, arch["out"], 10, 12)
        torch.testing.assert_close(out, F.conv_transpose2d(x, weight, bias, stride=2, padding=1))


def test_groups_of_a_norm_keep_their_channels() -> None:
    layer = ElasticGroupNorm(3, Choice("w", (3, 6, 12)))
    with torch.no_grad():
        layer.weight.copy_(torch.randn(12))
        layer.bias.copy_(torch.randn(12))
    net, x = Supernet(layer), torch.randn(2, 12, 4)
    whole = net(x, net.space.largest())
    for arch in net.space.enumerate():
        torch.testing.assert_close(net(x[:, : arch["w"]], arch), whole[:, : arch["w"]])
    with pytest.raises(UsageError, match=r"Groups of 4 channels do not fill the widths \[6\]"):
        ElasticGroupNorm(4, Choice("w", (4, 6)))


def test_one_group_is_a_layer_norm_over_channels_and_places() -> None:
    layer, x = ElasticGroupNorm(None, Choice("w", (3, 6))), torch.randn(2, 3, 4, 5)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(6))
        layer.bias.copy_(torch.randn(6))
    scale, shift = (tensor[:3, None, None].expand(3, 4, 5) for tensor in (layer.weight, layer.bias))
    torch.testing.assert_close(Supernet(layer)(x, {"w": 3}), F.layer_norm(x, (3, 4, 5), scale, shift))


class Words(nn.Module):
    """Indices to classes, with the embedding under two widths."""

    def __init__(self) -> None:
        super().__init__()
        width = Choice("width", (4, 8))
        self.embed = ElasticEmbedding(11, width, padding_idx=0)
        self.mix = ElasticConv1d(width, width, 3)
        self.norm = ElasticBatchNorm1d(width)
        self.out = ElasticLinear(width, 5)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.mix(self.embed(ids).transpose(1, 2))
        return self.out(self.norm(x).mean(2))


def test_indices_become_prefixes_of_their_vectors_and_all_is_counted() -> None:
    net = Supernet(Words(), input_shape=None)
    net.input_shape = Inputs((Field("", (7,), "int64"),))
    ids = torch.randint(0, 11, (3, 7))
    for arch in net.space.enumerate():
        w = arch["width"]
        plain = net.extract(arch).eval()
        torch.testing.assert_close(plain(ids), net.eval()(ids, arch))
        assert type(plain.embed) is nn.Embedding
        assert (plain.embed.embedding_dim, plain.embed.padding_idx) == (w, 0)
        assert measure.macs(net, arch) == 7 * 3 * w * w + 5 * w
        assert measure.params(net, arch) == sum(p.numel() for p in plain.parameters())
    module: Any = net.module
    net(ids.clamp(0, 0), net.space.largest()).sum().backward()
    assert not module.embed.weight.grad.any()  # padding learns nothing


def test_sizes_that_vary_and_must_not_are_refused() -> None:
    with pytest.raises(UsageError, match="kernel size of an elastic convolution is width"):
        ElasticConvTranspose2d(4, 4, Choice("width", (2, 4)))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"stride of an elastic convolution is \(1, 2\).*at least 1\. Where"):
        ElasticConv1d(4, 4, 3, stride=(1, 2))
