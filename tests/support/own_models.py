"""Models as users write them, for what makes models of other libraries elastic."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Mlp(nn.Module):
    """A gated feed-forward whose two halves one layer makes, behind a norm and beside a residual connection."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 2 * hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.up(self.norm(x)).chunk(2, -1)
        return x + self.down(value * F.silu(gate))


class SharedKeys(nn.Module):
    """Attention in which two queries share a key."""

    def __init__(self, width: int, heads: int, keys: int, dim: int) -> None:
        super().__init__()
        self.head_dim, self.repeats = dim, heads // keys
        self.q, self.kv = nn.Linear(width, heads * dim), nn.Linear(width, 2 * keys * dim)
        self.out = nn.Linear(heads * dim, width)

    def forward(self, x: Tensor) -> Tensor:
        B, T, _ = x.shape
        q = self.q(x).view(B, T, -1, self.head_dim).transpose(1, 2)
        k, v = (part.view(B, T, -1, self.head_dim).transpose(1, 2) for part in self.kv(x).chunk(2, -1))
        k, v = (part[:, :, None].expand(-1, -1, self.repeats, -1, -1).flatten(1, 2) for part in (k, v))
        return x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, T, -1))


class Language(nn.Module):
    """Token ids to logits, with tied embeddings and no norm over the stream."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.layers = nn.Embedding(20, 16), nn.ModuleList([SharedKeys(16, 4, 2, 4), Mlp(16, 24)])
        self.head = nn.Linear(16, 20, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, input_ids: Tensor) -> Tensor:
        x = self.embed(input_ids)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
IDS = torch.arange(12).view(2, 6)
