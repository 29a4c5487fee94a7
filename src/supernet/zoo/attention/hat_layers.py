"""The layers of HAT's encoder and decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from supernet.nn import ElasticAttention, ElasticDropout, ElasticLayerNorm, ElasticLinear, OpChoice
from supernet.space import Choice, Expr


class Sublayer(nn.Module):
    """A module with a shortcut around it and a norm: (B, T, c) -> (B, T, c); attention takes memory and mask too.

    Args:
        inner: The module.
        width: The width c.
        dropout: What drops entries of the module's output.
        norm_first: Whether the norm stands before the module; otherwise behind the sum, as in the released code.
        attends: Whether the module is given memory and mask.
    """

    def __init__(
        self, inner: nn.Module, width: Expr | int, dropout: nn.Module, *, norm_first: bool, attends: bool = True
    ) -> None:
        super().__init__()
        self.inner, self.norm, self.dropout = inner, ElasticLayerNorm(width), dropout
        self.norm_first, self.attends = norm_first, attends

    def forward(self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        y = self.norm(x) if self.norm_first else x
        x = x + self.dropout(self.inner(y, memory, mask) if self.attends else self.inner(y))
        return x if self.norm_first else cast(Tensor, self.norm(x))


class LookBack(nn.Module):
    """Attention to the first `count` of several memories of one length, which lie behind one another.

    (B, T, c), (B, of · S, m), mask (B, 1, 1, of · S) -> (B, T, c).

    Args:
        attention: The attention, which the layer around holds as well: its weights have one name, and every `count`
            uses them.
        count: Number of memories that are attended.
        of: Number of memories there are.
    """

    def __init__(self, attention: nn.Module, count: int, *, of: int) -> None:
        super().__init__()
        self._held, self.count, self.of = (attention,), count, of

    def forward(self, x: Tensor, memory: Tensor, visible: Tensor) -> Tensor:
        if self.count < self.of:
            tokens = memory.shape[1] // self.of * self.count
            memory, visible = memory[:, :tokens], visible[..., :tokens]
        return cast(Tensor, self._held[0](x, memory, visible))


class EncoderLayer(nn.Module):
    """Attention to the source, and a feed-forward network: (B, S, c), mask (B, 1, 1, S) -> (B, S, c).

    Args:
        width: The width c.
        heads: Number of heads.
        hidden: Width inside the feed-forward network.
        qkv_width: Width of all heads together, whatever their number.
        dropout: Share of the entries that are dropped, at the largest width.
        attention_dropout: Share of the weights of attention that are dropped.
        norm_first: Where norms stand, see `Sublayer`.
    """

    def __init__(
        self,
        width: Expr | int,
        heads: Expr | int,
        hidden: Expr | int,
        *,
        qkv_width: int,
        dropout: float,
        attention_dropout: float,
        norm_first: bool,
    ) -> None:
        super().__init__()
        attention = _attention(width, heads, qkv_width, attention_dropout)
        # The released code leaves this one dropout at its full probability in narrower networks.
        self.attend = Sublayer(attention, width, nn.Dropout(dropout), norm_first=norm_first)
        self.feed = _fed(width, hidden, dropout, norm_first=norm_first)

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        return cast(Tensor, self.feed(self.attend(x, None, visible)))


class DecoderLayer(nn.Module):
    """Attention to the target so far and to layers of the encoder, and a feed-forward network.

    (B, T, c), mask (T, T), memories (B, of · S, m) and their mask (B, 1, 1, of · S) -> (B, T, c).

    Args:
        width: The width c.
        heads: Number of heads of the attention to the target.
        hidden: Width inside the feed-forward network.
        encoder_width: The width m of the memories.
        cross_heads: Number of heads of the attention to the encoder.
        memories: Number of memories that are attended, a number or a choice.
        of: Number of memories there are.
        qkv_width: Width of all heads together, whatever their number.
        dropout: Share of the entries that are dropped, at the largest width.
        attention_dropout: Share of the weights of attention that are dropped.
        norm_first: Where norms stand, see `Sublayer`.
    """

    def __init__(
        self,
        width: Expr | int,
        heads: Expr | int,
        hidden: Expr | int,
        *,
        encoder_width: Expr | int,
        cross_heads: Expr | int,
        memories: Choice | int,
        of: int,
        qkv_width: int,
        dropout: float,
        attention_dropout: float,
        norm_first: bool,
    ) -> None:
        super().__init__()
        attention = _attention(width, heads, qkv_width, attention_dropout)
        self.attend = Sublayer(attention, width, ElasticDropout(dropout, width), norm_first=norm_first)
        self.cross = _attention(width, cross_heads, qkv_width, attention_dropout, memory=encoder_width)
        counts: Sequence[Any] = memories.options if isinstance(memories, Choice) else (memories,)
        looks = {count: LookBack(self.cross, count, of=of) for count in counts}
        looking = OpChoice(memories, looks) if isinstance(memories, Choice) else looks[memories]
        self.look = Sublayer(looking, width, ElasticDropout(dropout, width), norm_first=norm_first)
        self.feed = _fed(width, hidden, dropout, norm_first=norm_first)

    def forward(self, x: Tensor, causal: Tensor, memory: Tensor, visible: Tensor) -> Tensor:
        x = self.attend(x, None, causal)
        x = self.look(x, memory, visible)
        return cast(Tensor, self.feed(x))


class TokenInput(nn.Module):
    """Vectors of tokens, times the square root of their width, with positions: ids (B, T) -> (B, T, c).

    Args:
        tokens: The embedding.
        positions: What adds positions.
        dropout: What drops entries.
    """

    def __init__(self, tokens: nn.Module, positions: nn.Module, dropout: nn.Module) -> None:
        super().__init__()
        self.tokens, self.positions, self.dropout = tokens, positions, dropout

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids)
        return cast(Tensor, self.dropout(self.positions(x * x.shape[-1] ** 0.5)))


class Translator(nn.Module):
    """Token ids and mask of the source (B, S), and the target so far (B, T), to logits of the next token (B, T, V).

    Args:
        source: What makes vectors of the source's ids.
        encoder: The layers of the encoder.
        target: What makes vectors of the target's ids.
        decoder: The decoder, a stage of three further inputs.
        head: What makes logits.
        memories: Number of last layers of the encoder that the decoder is given.
        length: The longest target.
        encoder_norm: What the last layer of the encoder goes through, where norms stand first.
        decoder_norm: What the decoder's output goes through, where norms stand first.
    """

    causal: Tensor

    def __init__(
        self,
        *,
        source: TokenInput,
        encoder: Sequence[EncoderLayer],
        target: TokenInput,
        decoder: nn.Module,
        head: nn.Module,
        memories: int,
        length: int,
        encoder_norm: nn.Module | None = None,
        decoder_norm: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.source, self.encoder = source, nn.ModuleList(encoder)
        self.target, self.decoder, self.head = target, decoder, head
        self.encoder_norm, self.decoder_norm = encoder_norm, decoder_norm
        self.memories = memories
        self.register_buffer("causal", torch.ones(length, length, dtype=torch.bool).tril(), persistent=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor) -> Tensor:
        visible = attention_mask.bool()[:, None, None]
        x = self.source(input_ids)
        outputs = []
        for layer in self.encoder:
            x = layer(x, visible)
            outputs.append(x)
        if self.encoder_norm is not None:
            outputs[-1] = self.encoder_norm(outputs[-1])
        memory = outputs[-1]
        if self.memories > 1:  # the last layer first
            memory = torch.cat(outputs[: -self.memories - 1 : -1], 1)
            visible = torch.cat([visible] * self.memories, -1)
        places = decoder_input_ids.shape[1]
        y = self.decoder(self.target(decoder_input_ids), self.causal[:places, :places], memory, visible)
        if self.decoder_norm is not None:
            y = self.decoder_norm(y)
        return cast(Tensor, self.head(y))


def initialise(net: Translator) -> None:
    """Xavier's uniform weights without biases; queries, keys and values as one layer; vectors of tokens N(0, 1 / C)."""
    for module in net.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in net.modules():
        if isinstance(module, ElasticAttention) and not module.fused:
            for layer in (module.query, module.key, module.value):
                rows, columns = layer.weight.shape
                bound = (6 / (3 * rows + columns)) ** 0.5
                nn.init.uniform_(layer.weight, -bound, bound)
    head = cast(nn.Linear, net.head)
    for weight in (net.source.tokens.weight, net.target.tokens.weight, head.weight):
        nn.init.normal_(cast(Tensor, weight), std=cast(Tensor, weight).shape[1] ** -0.5)


def _attention(
    width: Expr | int, heads: Expr | int, qkv_width: int, dropout: float, *, memory: Expr | int | None = None
) -> ElasticAttention:
    return ElasticAttention(width, heads, qkv_width // heads, memory=memory, dropout=dropout, masked=True)


def _fed(width: Expr | int, hidden: Expr | int, dropout: float, *, norm_first: bool) -> Sublayer:
    network = nn.Sequential(ElasticLinear(width, hidden), nn.ReLU(), ElasticLinear(hidden, width))
    return Sublayer(network, width, ElasticDropout(dropout, width), norm_first=norm_first, attends=False)
