"""A BERT-like text encoder: attention, feed-forward or separable convolution in each layer (NAS-BERT, KDD 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import (
    ElasticAttention,
    ElasticConv1d,
    ElasticEmbedding,
    ElasticLayerNorm,
    ElasticLinear,
    ElasticPositions,
    Field,
    Inputs,
    OpChoice,
    Supernet,
)
from supernet.nn.diagram import Diagram
from supernet.paper import Paper
from supernet.space import Arch, Choice
from supernet.zoo.arguments import check_at_least_one, check_dropout
from supernet.zoo.attention.hat_layers import Sublayer
from supernet.zoo.drawing import Block, chain

PAPER = Paper(
    name="NAS-BERT",
    title="NAS-BERT: Task-Agnostic and Adaptive-Size BERT Compression with Neural Architecture Search",
    authors=("Xu", "Tan", "Luo", "Song", "Li", "Qin", "Liu"),
    venue="KDD",
    year=2021,
    arxiv="2105.14444",
    provenance="reconstruction",
)

TINY: dict[str, Any] = {"layers": 4, "width": 32, "heads": 2, "kernels": (3, 5)}

_FIELDS = ("input_ids", "attention_mask")
_STD = 0.02


def bert_like(
    *,
    num_classes: int = 2,
    vocabulary: int = 30522,
    input_shape: Inputs | None = None,
    length: int = 128,
    layers: int = 24,
    width: int = 512,
    heads: int = 8,
    kernels: Sequence[int] = (3, 5, 7),
    dropout: float = 0.1,
) -> Supernet:
    """BERT-like text encoders of NAS-BERT: attention, feed-forward or a separable convolution of tokens in each layer.

    Xu et al., KDD 2021, [arXiv 2105.14444](https://arxiv.org/abs/2105.14444); the home of MAGIC
    ([arXiv 2108.12821](https://arxiv.org/abs/2108.12821)). The choices `"layer1"`, `"layer2"` … have the options
    `MHSA`, `FFN`, `SEP3`, `SEP5` and `SEP7`; two layers stand for one of BERT. All keep the shape of the tokens, with a
    shortcut around and a norm behind. It is a reconstruction: one width, which NAS-BERT searches too, no layer that
    is left out, and no training on masked words, for which this package has no task; the encoder classifies texts by
    the mean of its tokens.

    Args:
        num_classes: Number of classes, the outputs of the classifier.
        vocabulary: Number of tokens.
        input_shape: The shape of the inputs `input_ids` and `attention_mask`; None: both of `length` tokens.
        length: The longest text, in tokens, where `input_shape` does not say.
        layers: Number of layers.
        width: Width of the tokens.
        heads: Number of heads, which divides the width.
        kernels: Tokens that a convolution sees, odd numbers.
        dropout: Probability of dropping a feature.

    Returns:
        A supernet of token ids (B, T) and mask (B, T) -> logits (B, num_classes).

    Raises:
        UsageError: an option out of range, or inputs of other names.

    >>> bert_like(vocabulary=100, length=8, layers=4, width=16, heads=2).space.size
    625
    """
    check_at_least_one(
        num_classes=num_classes, vocabulary=vocabulary, length=length, layers=layers, width=width, heads=heads
    )
    check_dropout(dropout)
    if width % heads:
        raise UsageError(f"{heads} heads do not divide tokens of width {width}; give a multiple of {heads}.")
    if any(kernel < 1 or kernel % 2 == 0 for kernel in kernels) or len(set(kernels)) < len(kernels):
        raise UsageError(f"The kernels are {tuple(kernels)}; give different odd numbers, such as (3, 5, 7).")
    if input_shape is None:
        input_shape = Inputs(tuple(Field(name, (length,), "int64") for name in _FIELDS))
    if not isinstance(input_shape, Inputs) or sorted(field.name for field in input_shape.fields) != sorted(_FIELDS):
        raise UsageError(f"A text encoder takes {' and '.join(_FIELDS)}, but the inputs are {input_shape}.")

    def operation(option: str) -> nn.Module:
        made = _SeparableConv(width, int(option.removeprefix("SEP"))) if option.startswith("SEP") else None
        inner = made or (_Attention(width, heads) if option == "MHSA" else _FeedForward(width))
        return Sublayer(inner, width, nn.Dropout(dropout), norm_first=False)

    options = ("MHSA", "FFN", *(f"SEP{kernel}" for kernel in kernels))
    cheapest_first = [*options[2:], "MHSA", "FFN"]
    blocks = [
        OpChoice(Choice(f"layer{number}", options, order=cheapest_first), {o: operation(o) for o in options})
        for number in range(1, layers + 1)
    ]
    places = max(field.shape[0] for field in input_shape.fields)
    embed = nn.Sequential(
        ElasticEmbedding(vocabulary, width),
        ElasticPositions(places, width),
        ElasticLayerNorm(width),
        nn.Dropout(dropout),
    )
    net = TextEncoder(embed, blocks, nn.Linear(width, num_classes))
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Embedding):
            nn.init.trunc_normal_(module.weight, std=_STD)
        if isinstance(module, nn.Linear | nn.Conv1d) and module.bias is not None:
            nn.init.zeros_(module.bias)
    return Supernet(net, input_shape=input_shape)


class TextEncoder(nn.Module):
    """Token ids (B, T) and mask (B, T) to logits (B, K), by the mean of the tokens that the mask shows.

    Args:
        embed: Ids to tokens (B, T, c).
        blocks: The layers, of tokens (B, T, c) and the mask (B, T).
        head: The classifier (B, c) -> (B, K).
    """

    def __init__(self, embed: nn.Module, blocks: Sequence[nn.Module], head: nn.Linear) -> None:
        super().__init__()
        self.embed, self.layers, self.head = embed, nn.ModuleList(blocks), head

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.embed(input_ids)
        for layer in self.layers:
            x = layer(x, attention_mask)
        shown = attention_mask.to(x.dtype).unsqueeze(-1)
        mean = (x * shown).sum(1) / shown.sum(1).clamp(min=1)
        return cast(Tensor, self.head(mean))

    def diagram(self, arch: Arch) -> Diagram:
        """The layers between tokens and classes."""
        width, classes = self.head.in_features, self.head.out_features
        drawn = [Block(str(option), width, width) for option in arch.options().values()]
        return chain([*drawn, Block("classes", width, classes)])


class _Attention(nn.Module):
    """Attention to the tokens that the mask shows: (B, T, c), (B, T) -> (B, T, c)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = ElasticAttention(width, heads, width // heads, masked=True)

    def forward(self, x: Tensor, shown: Tensor, mask: Tensor | None = None) -> Tensor:  # `Sublayer` hands on two
        return cast(Tensor, self.attention(x, None, shown.bool()[:, None, None]))


class _FeedForward(nn.Module):
    """Two linear layers, four times as wide between them: (B, T, c) -> (B, T, c)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(ElasticLinear(width, 4 * width), nn.GELU(), ElasticLinear(4 * width, width))

    def forward(self, x: Tensor, shown: Tensor, mask: Tensor | None = None) -> Tensor:  # `Sublayer` hands on two
        return cast(Tensor, self.layers(x))


class _SeparableConv(nn.Module):
    """A depthwise convolution of the visible tokens, then a pointwise one: (B, T, c), (B, T) -> (B, T, c)."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = ElasticConv1d(width, width, kernel, groups=width)
        self.pointwise = ElasticLinear(width, width)
        self.activation = nn.GELU()

    def forward(self, x: Tensor, shown: Tensor, mask: Tensor | None = None) -> Tensor:  # `Sublayer` hands on two
        x = torch.where(shown.bool().unsqueeze(-1), x, 0)
        x = self.depthwise(x.transpose(1, 2)).transpose(1, 2)
        return cast(Tensor, self.pointwise(self.activation(x)))
