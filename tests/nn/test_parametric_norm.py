"""Parametric normalisation: its formula, its slices, and what it makes of single images."""

from __future__ import annotations

import pytest
import torch

from supernet import Choice, Supernet
from supernet.errors import UsageError
from supernet.nn import ElasticParametricNorm2d


def drawn(layer: ElasticParametricNorm2d) -> ElasticParametricNorm2d:
    torch.manual_seed(0)
    for parameter in layer.parameters():
        parameter.data = torch.randn_like(parameter)
    return layer


def test_it_is_the_formula_on_the_first_channels() -> None:
    layer = drawn(ElasticParametricNorm2d(Choice("w", (2, 5))))
    net = Supernet(layer)
    x = torch.randn(4, 2, 3, 3)
    for n in range(2):
        shifted = x[:, n] - layer.centre[n]
        expected = layer.weight[n] * shifted / shifted.square().mean().sqrt() + layer.bias[n]
        torch.testing.assert_close(net(x, net.space.smallest())[:, n], expected)
    net.eval()
    torch.testing.assert_close(net.extract(net.space.smallest())(x), net(x, net.space.smallest()))


def test_slices_take_other_channels() -> None:
    width = Choice("w", (2, 4))
    layer = drawn(ElasticParametricNorm2d(width))
    net, x = Supernet(layer), torch.randn(3, 2, 2, 2)
    with net.active(net.space.smallest(), settings={"slice": 0.75}):
        found = net(x)
    order = [3, 0]
    shifted = x - layer.centre[order, None, None]
    rms = shifted.square().mean((0, 2, 3), keepdim=True).sqrt()
    torch.testing.assert_close(found, layer.weight[order, None, None] * shifted / rms + layer.bias[order, None, None])


def test_all_three_are_learned_and_a_dead_channel_gives_no_nan() -> None:
    layer = ElasticParametricNorm2d(2)
    x = torch.randn(4, 2, 3, 3)
    x[:, 1] = 0.0
    (layer(x) * torch.randn(4, 2, 3, 3)).sum().backward()
    for parameter in layer.parameters():
        assert torch.isfinite(parameter.grad).all()
        assert float(parameter.grad[0]) != 0


def test_a_single_image_is_normalised_by_itself_in_evaluation_too() -> None:
    layer = ElasticParametricNorm2d(1).eval()
    x = torch.cat([torch.full((1, 1, 2, 2), 1.0), torch.full((1, 1, 2, 2), 7.0)])
    assert layer(x)[0, 0, 0, 0].item() == pytest.approx(0.2)
    assert layer(x[:1])[0, 0, 0, 0].item() == pytest.approx(1.0)
    assert not list(layer.buffers())


def test_a_negative_eps_is_refused() -> None:
    with pytest.raises(UsageError, match="eps=-1 was to be added"):
        ElasticParametricNorm2d(2, eps=-1)
