"""The light-weight transformer of HR-NAS: few tokens, each a small map (Ding et al., CVPR 2021)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.nn import DotProductAttention, ElasticConv2d, Statistics, batch_norm
from supernet.nn.channels import Channels
from supernet.nn.queries import ElasticQueries


class LightTransformer(nn.Module):
    """Projects a map onto n tokens, lets them attend to each other, and projects them back.

    (B, C_in, H, W) -> (B, C_out, H / s, W / s). The map is resized to g × g, two channels with the place of each pixel
    are joined to it, and a 1 × 1 convolution with BatchNorm makes n channels of it: each is a token of g² numbers. An
    encoder layer and a decoder layer with n learned queries follow, both of one head, and a 1 × 1 convolution with
    BatchNorm back to C_out; the result is resized. How the decoder adds what it attends to, to the memory and not to
    its queries, is the released code's.

    Args:
        width_in: Input width C_in.
        width_out: Output width C_out.
        tokens: The number n of tokens.
        grid: The side g of the small map.
        stride: By how much the output is smaller, s.
        dropout: Share of attention weights and of features that is dropped in training.
        statistics: What BatchNorm uses outside training.
    """

    def __init__(
        self,
        width_in: int,
        width_out: int,
        *,
        tokens: Channels,
        grid: int,
        stride: int,
        dropout: float,
        statistics: Statistics,
    ) -> None:
        super().__init__()
        self.grid, self.stride = grid, stride
        self.register_buffer("places", places(grid))
        self.split = ElasticConv2d(width_in + 2, tokens, 1, bias=False)
        self.scale = batch_norm(tokens, statistics=statistics)
        self.encoder = AttentionLayer(grid**2, dropout)
        self.queries = ElasticQueries(tokens, grid**2)
        self.decoder = AttentionLayer(grid**2, dropout)
        self.join = ElasticConv2d(tokens, width_out, 1, bias=False)
        self.norm = batch_norm(width_out, statistics=statistics)

    def forward(self, x: Tensor) -> Tensor:
        size = (x.shape[2] // self.stride, x.shape[3] // self.stride)
        small = _resized(x, (self.grid, self.grid))
        where = self.get_buffer("places").expand(x.shape[0], -1, -1, -1)
        tokens = self.scale(self.split(torch.cat([small, where], 1))).flatten(2)
        memory = self.encoder(tokens, tokens, tokens)
        found = self.decoder(self.queries(memory), memory, memory)
        return _resized(self.norm(self.join(torch.unflatten(found, 2, (self.grid, self.grid)))), size)


class AttentionLayer(nn.Module):
    """Attention of one head, added to `onto`, and a feed-forward layer: (B, n, d), twice (B, m, d) -> (B, m, d).

    Layer norms follow the sums; linear layers have no bias.

    Args:
        width: The width d of a token, and of the hidden layer.
        dropout: Share of attention weights and of features that is dropped in training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.attend = DotProductAttention(1, width, dropout=dropout)
        hidden = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.feed = nn.Sequential(next(hidden), nn.ReLU(), nn.Dropout(dropout), next(hidden), nn.Dropout(dropout))
        self.dropout = nn.Dropout(dropout)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, queries: Tensor, memory: Tensor, onto: Tensor) -> Tensor:
        attended = self.attend(self.query(queries), self.key(memory), self.value(memory))
        x: Tensor = self.norm1(onto + self.dropout(self.out(attended)))
        out: Tensor = self.norm2(x + self.feed(x))
        return out


def token_costs(width_in: int, width_out: int, grid: int) -> tuple[float, float]:
    """Multiply-accumulates of a `LightTransformer` per token, and per ordered pair of tokens.

    The projections of the map, those of two attentions and two feed-forward layers; queries with keys and weights with
    values, twice.

    >>> token_costs(18, 18, 8)
    (51584, 256)
    """
    d = grid**2
    return (width_in + 2 + width_out) * d + 2 * 4 * d * d + 2 * 2 * d * d, 2 * 2 * d


def places(grid: int) -> Tensor:
    """(1, 2, g, g): column and row of each pixel, with mean 0 and standard deviation 1."""
    line = torch.arange(grid, dtype=torch.float32)
    line = (line - line.mean()) / (line.std(correction=0) if grid > 1 else 1.0)
    return torch.stack([line.expand(grid, grid), line[:, None].expand(grid, grid)])[None]


def initialise(transformer: LightTransformer) -> None:
    """Draw queries, keys and values as torch's multi-head attention does, where one matrix holds the three."""
    for layer in (transformer.encoder, transformer.decoder):
        for linear in (layer.query, layer.key, layer.value):
            bound = math.sqrt(6 / (4 * linear.in_features))
            nn.init.uniform_(linear.weight, -bound, bound)


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
