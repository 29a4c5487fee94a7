"""A configuration that says all of a subnet, where there is one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from supernet import elastic
from supernet.pretrained.plain_config import plain_config


class Layer(nn.Module):
    """Attention of `heads` heads and a feed-forward block."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.heads, self.dim = config.heads, config.dim
        self.qkv = nn.Linear(config.hidden, 3 * config.heads * config.dim)
        self.out = nn.Linear(config.heads * config.dim, config.hidden)
        self.up, self.down = nn.Linear(config.hidden, config.inner), nn.Linear(config.inner, config.hidden)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).view(*x.shape[:2], 3, -1, self.dim).unbind(2)
        mixed = nn.functional.scaled_dot_product_attention(*(t.transpose(1, 2) for t in (q, k, v)))
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.down(torch.relu(self.up(x)))


class Model(nn.Module):
    """Built from a configuration, as the models of transformers are."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(20, config.hidden)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.count))
        self.scales = config.kinds
        self.head = nn.Linear(config.hidden, 5)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


IDS = torch.arange(12).view(2, 6)


def made(**options: Any) -> Any:
    torch.manual_seed(0)
    config = SimpleNamespace(hidden=12, heads=4, dim=5, inner=24, count=3, kinds=["a", "b", "c"])
    return elastic(Model(config).eval(), IDS, width=(0.5, 1.0), heads=(0.5, 1.0), multiple=1, **options).eval()


def test_equal_layers_need_no_more_than_a_configuration() -> None:
    net = made()
    small = net.space.smallest()
    config = plain_config(net, small, net.extract(small), IDS)
    assert (config.hidden, config.heads, config.dim, config.inner, config.count) == (6, 2, 5, 12, 1)
    assert config.kinds == ["a"]
    assert net.module.config.hidden == 12, "the model's own stays"


def test_a_list_loses_the_entries_of_blocks_that_are_gone() -> None:
    net = made(depth="any", include=["*kept"])
    arch = net.space.arch({**net.space.largest().options(), "layers.1.kept": 0})
    config = plain_config(net, arch, net.extract(arch), IDS)
    assert (config.count, config.kinds) == (2, ["a", "c"])


def test_layers_that_differ_have_none() -> None:
    net = made(depth=False)
    arch = net.space.arch({**net.space.largest().options(), "layers.1.up.width": 12})
    assert plain_config(net, arch, net.extract(arch), IDS) is None


def test_what_has_the_shapes_and_computes_something_else_is_none() -> None:
    """Heads of another width: the same shapes, another result."""
    net = made(depth=False)
    alone = net.extract(net.space.largest())
    alone.config.heads, alone.config.dim = 5, 4
    assert plain_config(net, net.space.largest(), alone, IDS) is None
