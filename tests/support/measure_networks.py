"""What the tests of measure and deploy share: small supernets of every kind, and a small data set."""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet import (
    Choice,
    ElasticBatchNorm2d,
    ElasticConv2d,
    ElasticDepth,
    ElasticLayerNorm,
    ElasticLinear,
    ElasticResolution,
    OpChoice,
    Supernet,
    Zero,
)
from supernet.data import ImageData, from_arrays

torch.set_num_threads(1)  # tensors this small gain nothing from more


@cache
def blobs(n: int = 300, *, size: int = 8) -> ImageData:
    """Images of three classes that differ in where they are bright."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 3
    images = rng.integers(0, 120, (n, size, size)).astype(np.uint8)
    for row, label in enumerate(labels):
        images[row, 2 * label : 2 * label + 2] += 120
    return from_arrays(images, labels, name="blobs")


def small_net(*, statistics: str = "calibrate") -> Supernet:
    """One elastic width, one choice block of which one candidate has no BatchNorm."""
    torch.manual_seed(0)
    width = Choice("width", (4, 6, 8))
    conv = nn.Sequential(ElasticConv2d(width, width, bias=False), ElasticBatchNorm2d(width, statistics=statistics))
    return Supernet(
        nn.Sequential(
            ElasticConv2d(1, width, stride=2),
            ElasticBatchNorm2d(width, statistics=statistics),
            nn.ReLU(),
            OpChoice("op", {"conv": conv, "skip": nn.Identity()}),
            nn.Dropout(0.5),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            ElasticLinear(width, 3),
        )
    )


class Tokens(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """A caller's own module that multiplies matrices between elastic layers."""

    def __init__(self, width: int, heads: Choice) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.ModuleList(ElasticLinear(width, heads * 4) for _ in range(3))
        self.out = ElasticLinear(heads * 4, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (layer(self.norm(x)).unflatten(-1, (-1, 4)).transpose(1, 2) for layer in self.qkv)
        return x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(-2))


def random_net(seed: int) -> Supernet:
    """A supernet drawn at random, with tied and gated choices, blocks in blocks, and layers used twice."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    names = iter(range(1000))

    def choice(options: tuple, when=None) -> Choice:
        picked = rng.choice(len(options), size=rng.integers(1, len(options) + 1), replace=False)
        return Choice(f"c{next(names)}", tuple(options[i] for i in picked), when=when)

    def conv(c_in, c_out, when, stride=1) -> nn.Module:
        layers = [
            ElasticConv2d(c_in, c_out, choice((1, 3, 5), when), stride=stride, bias=bool(rng.integers(2))),
            ElasticBatchNorm2d(c_out, affine=bool(rng.integers(2)), statistics="track"),
        ]
        if rng.integers(2):
            groups = c_out if rng.integers(2) else 2
            layers.append(ElasticConv2d(c_out, c_out, 3, groups=groups))
        return nn.Sequential(*layers, nn.ReLU())

    def block(c, depth_left: int, when) -> nn.Module:
        candidates = {
            "conv": conv(c, c, when),
            "skip": nn.Identity(),
            "pool": nn.MaxPool2d(3, 1, 1),
            "zero": Zero(),
        }
        if depth_left:
            candidates["inner"] = nn.Sequential(block(c, depth_left - 1, when), conv(c, c, when))
        return OpChoice(Choice(f"op{next(names)}", tuple(candidates), when=when), candidates)

    layers: list[nn.Module] = []
    if rng.integers(2):
        layers.append(ElasticResolution(choice((7, 8, 12))))
    c = choice((4, 8))
    layers.append(conv(3, c, None, stride=int(rng.integers(1, 3))))
    for _ in range(rng.integers(1, 3)):
        depth = choice((0, 1, 2))
        layers.append(ElasticDepth(depth, [block(c, int(rng.integers(2)), depth > place) for place in range(2)]))
        if rng.integers(2):
            layers.append(layers[-1])  # the same stage once more: weights shared, work doubled
        wider = choice((6, 10)) if rng.integers(2) else c * 2
        layers.append(conv(c, wider, None, stride=2))
        c = wider
    layers += [Tokens(), ElasticLayerNorm(c), ElasticLinear(c, 8), Attention(8, choice((1, 2, 3)))]
    if rng.integers(2):
        layers.append(nn.TransformerEncoderLayer(8, 2, 12, batch_first=True))
    return Supernet(nn.Sequential(*layers))
