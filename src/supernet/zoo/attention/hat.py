"""The translation transformers of HAT (Wang et al., ACL 2020): widths, depth, and what each layer is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

from torch import nn

from supernet.errors import UsageError
from supernet.nn import (
    ElasticDepth,
    ElasticDropout,
    ElasticEmbedding,
    ElasticLayerNorm,
    ElasticLinear,
    ElasticPositions,
    ElasticSinusoids,
    Field,
    Inputs,
    Supernet,
)
from supernet.paper import Paper
from supernet.space import Arch, Expr, Space
from supernet.zoo.arguments import check_at_least_one, check_dropout
from supernet.zoo.attention.hat_layers import DecoderLayer, EncoderLayer, TokenInput, Translator, initialise
from supernet.zoo.attention.hat_published import from_config, published, to_config
from supernet.zoo.axes import axis, given_or

PAPER = Paper(
    name="HAT",
    title="HAT: Hardware-Aware Transformers for Efficient Natural Language Processing",
    authors=("Wang", "Wu", "Liu", "Cai", "Zhu", "Gan", "Han"),
    venue="ACL",
    year=2020,
    arxiv="2005.14187",
    provenance="official code",
)

TINY: dict[str, Any] = {"variant": "tiny"}

Variant: TypeAlias = Literal["wmt", "iwslt", "tiny"]
"""Which of the published spaces, or a small one that trains in minutes."""


@dataclass(frozen=True)
class _Sizes:
    widths: tuple[int, ...]
    ffn: tuple[int, ...]
    heads: tuple[int, ...]
    encoder_layers: int
    depths: tuple[int, ...]
    qkv_width: int
    share_embeddings: bool
    dropout: float
    attention_dropout: float
    tokens: int


_VARIANTS: dict[str, _Sizes] = {
    "wmt": _Sizes((512, 640), (1024, 2048, 3072), (4, 8), 6, (1, 2, 3, 4, 5, 6), 512, True, 0.3, 0.1, 30),
    "iwslt": _Sizes((512, 640), (512, 1024, 2048), (2, 4), 6, (1, 2, 3, 4, 5, 6), 512, False, 0.375, 0.0, 23),
    "tiny": _Sizes((96, 128), (128, 256, 512), (2, 4), 3, (1, 2, 3), 128, True, 0.1, 0.0, 30),
}
_POSITIONS = 1024
_FIELDS = ("input_ids", "attention_mask", "decoder_input_ids")


def hat(
    *,
    variant: Variant = "wmt",
    num_classes: int = 32768,
    input_shape: Inputs | None = None,
    length: int | None = None,
    encoder_widths: Sequence[int] | None = None,
    decoder_widths: Sequence[int] | None = None,
    ffn: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    encoder_layers: int | None = None,
    depths: Sequence[int] | None = None,
    attended: Sequence[int] = (1, 2, 3),
    qkv_width: int | None = None,
    share_embeddings: bool | None = None,
    learned_positions: bool = False,
    norm_first: bool = False,
    dropout: float | None = None,
    attention_dropout: float | None = None,
) -> Supernet:
    """HAT: widths of encoder and decoder, decoder depth, and per layer heads, feed-forward and attended encoder layers.

    Wang et al., ACL 2020, [arXiv 2005.14187](https://arxiv.org/abs/2005.14187), §3.1 and official code.

    The choices are `"encoder.width"`, `"encoder.layer1.heads"`, `"encoder.layer1.ffn"` …, `"decoder.width"`,
    `"decoder.depth"`, `"decoder.layer1.heads"`, `"decoder.layer1.cross_heads"`, `"decoder.layer1.attended"`,
    `"decoder.layer1.ffn"` …; those of a decoder layer count where the decoder is deep enough. `attended` is the number
    of the encoder's last layers whose outputs are keys and values, one behind the other (arbitrary encoder–decoder
    attention; 1, 2 and 3 are −1, 1 and 2 in the code). All heads together have the width `qkv_width`, whatever their
    number, so that neither heads nor `attended` change the number of parameters. Narrower networks are prefixes of the
    weights, and drop less in proportion. An axis with a single option is fixed and makes no choice.

    Args:
        variant: The published space `"wmt"` (space0) or `"iwslt"` (space1); `"tiny"` is a small one, such as for
            `data.verses`.
        num_classes: Number V of tokens of the vocabulary, which source and target share.
        input_shape: The shape of the inputs `input_ids`, `attention_mask` and `decoder_input_ids`, which MACs and
            latency are told for; None: the 30 tokens a side (IWSLT: 23) that the paper's are told for.
        length: The longest sequence, in tokens; None: that of `input_shape`, and 1,024 where none is given.
        encoder_widths: Widths of the encoder's tokens; None: by the variant, as for all that follow.
        decoder_widths: Widths of the decoder's tokens.
        ffn: Widths inside feed-forward networks.
        heads: Numbers of heads, of all three kinds of attention.
        encoder_layers: Number of layers of the encoder.
        depths: Numbers of layers of the decoder.
        attended: Numbers of last layers of the encoder that a layer of the decoder may attend.
        qkv_width: Width of all queries, and of all keys and values, of a layer.
        share_embeddings: Whether source, target and output share one table of vectors.
        learned_positions: Whether positions are learned; otherwise they are sinusoids.
        norm_first: Whether norms stand before attention and feed-forward, and once more behind both stacks.
        dropout: Probability of dropping a feature, in the widest network.
        attention_dropout: Probability of dropping a weight of attention.

    Returns:
        A supernet of token ids (B, S), mask (B, S) and ids of the target so far (B, T) -> logits (B, T, V).

    Raises:
        UsageError: an option out of range, heads that do not divide `qkv_width`, more attended layers than the
            encoder has, inputs that do not fit, or tables that cannot be shared.

    >>> hat(variant="tiny", num_classes=300).space.size
    41461632
    """
    if variant not in get_args(Variant):
        raise UsageError(f"The variant {variant!r} does not exist; use one of {get_args(Variant)}.")
    sizes = _VARIANTS[variant]
    layers = sizes.encoder_layers if encoder_layers is None else encoder_layers
    qkv_width = sizes.qkv_width if qkv_width is None else qkv_width
    dropout = sizes.dropout if dropout is None else dropout
    attention_dropout = sizes.attention_dropout if attention_dropout is None else attention_dropout
    check_at_least_one(num_classes=num_classes, encoder_layers=layers, qkv_width=qkv_width)
    check_dropout(dropout)
    check_dropout(attention_dropout)
    all_heads, all_ffn = given_or("heads", heads, sizes.heads), given_or("ffn", ffn, sizes.ffn)
    all_depths, looks = given_or("depths", depths, sizes.depths), given_or("attended", attended, ())
    _check_heads(all_heads, qkv_width)
    if max(looks) > layers:
        raise UsageError(
            f"A decoder layer was to attend the last {max(looks)} layers of the encoder, which has {layers}; lower "
            "attended, or raise encoder_layers."
        )
    if length is None:
        length = _POSITIONS if input_shape is None else max(_lengths(input_shape))
    check_at_least_one(length=length)
    if input_shape is None:
        input_shape = Inputs(tuple(Field(name, (min(sizes.tokens, length),), "int64") for name in _FIELDS))
    if max(_lengths(input_shape)) > length:
        raise UsageError(
            f"Sequences of {max(_lengths(input_shape))} tokens do not fit a network for {length}; raise length, or "
            "give shorter sequences (Data: length)."
        )

    encoder_width = axis("encoder.width", given_or("encoder_widths", encoder_widths, sizes.widths))
    decoder_width = axis("decoder.width", given_or("decoder_widths", decoder_widths, sizes.widths))
    depth = axis("decoder.depth", all_depths)
    options: dict[str, Any] = {
        "qkv_width": qkv_width,
        "dropout": dropout,
        "attention_dropout": attention_dropout,
        "norm_first": norm_first,
    }

    def encoder(name: str) -> EncoderLayer:
        return EncoderLayer(encoder_width, axis(f"{name}.heads", all_heads), axis(f"{name}.ffn", all_ffn), **options)

    def decoder(number: int) -> DecoderLayer:
        name = f"decoder.layer{number + 1}"
        when = depth > number if isinstance(depth, Expr) and number >= min(all_depths) else None
        return DecoderLayer(
            decoder_width,
            axis(f"{name}.heads", all_heads, when),
            axis(f"{name}.ffn", all_ffn, when),
            encoder_width=encoder_width,
            cross_heads=axis(f"{name}.cross_heads", all_heads, when),
            memories=axis(f"{name}.attended", looks, when),
            of=max(looks),
            **options,
        )

    positions = ElasticPositions if learned_positions else ElasticSinusoids
    source, target = (
        TokenInput(ElasticEmbedding(num_classes, c), positions(length, c), ElasticDropout(dropout, c))
        for c in (encoder_width, decoder_width)
    )
    head = ElasticLinear(decoder_width, num_classes, bias=False)
    if sizes.share_embeddings if share_embeddings is None else share_embeddings:
        _share(source.tokens, target.tokens, head)
    net = Translator(
        source=source,
        encoder=[encoder(f"encoder.layer{number + 1}") for number in range(layers)],
        target=target,
        decoder=ElasticDepth(depth, [decoder(number) for number in range(max(all_depths))], context=3),
        head=head,
        memories=max(looks),
        length=length,
        encoder_norm=ElasticLayerNorm(encoder_width) if norm_first else None,
        decoder_norm=ElasticLayerNorm(decoder_width) if norm_first else None,
    )
    initialise(net)
    return Supernet(net, input_shape=input_shape)


def hat_arch(space: Space, network: str | Mapping[str, Any]) -> Arch:
    """The architecture of a published network, or of a configuration of the released code.

    Args:
        space: The space of `hat` of that variant.
        network: Task, device and latency of one of the 44 networks of the authors, such as
            `"wmt14ende_titanxp@57.1ms"`; or what a file of `subtransformer/*.yml` holds.

    Raises:
        UsageError: an unknown name, a configuration that is incomplete, or a space without the network.
    """
    options = published(network) if isinstance(network, str) else from_config(network)
    try:
        return space.arch(options)
    except UsageError as error:
        raise UsageError(
            f"The network is not in this space: {error} The published ones are in those of hat(variant='wmt') and "
            "hat(variant='iwslt')."
        ) from None


def hat_config(arch: Arch) -> dict[str, Any]:
    """An architecture as the released code writes it, to train it there or to compare.

    Raises:
        UsageError: a space that is not one of `hat` with all of its choices.
    """
    names = {name.rpartition(".")[2] for name in arch.space.names}
    if names != {"width", "heads", "ffn", "depth", "cross_heads", "attended"}:
        raise UsageError(
            f"HAT's code writes widths, depth, heads, feed-forward widths and attended layers, but the space has "
            f"{', '.join(sorted(names))}; give an architecture of zoo.hat in which all of them are choices."
        )
    return to_config(arch)


def _check_heads(heads: Sequence[int], qkv_width: int) -> None:
    wrong = [count for count in heads if qkv_width % count]
    if wrong:
        raise UsageError(
            f"{wrong[0]} heads do not divide the width {qkv_width} of queries, keys and values; give numbers of heads "
            "that do, or another qkv_width."
        )


def _lengths(shape: Inputs) -> list[int]:
    """Tokens of source and target."""
    sizes = {field.name: field.shape for field in shape.fields} if isinstance(shape, Inputs) else {}
    if set(sizes) != set(_FIELDS) or any(len(size) != 1 for size in sizes.values()):
        raise UsageError(
            f"hat translates {', '.join(_FIELDS)}, a sequence each, but the inputs are {shape}. Give data of "
            "sequences for sequences, such as 'verses' or those of data.text_pairs."
        )
    return [size[0] for size in sizes.values()]


def _share(source: nn.Module, target: nn.Module, head: nn.Module) -> None:
    tables = [cast(nn.Parameter, module.weight) for module in (source, target, head)]
    if tables[0].shape != tables[1].shape:
        raise UsageError(
            f"Encoder and decoder cannot share a table of vectors: their largest widths are {tables[0].shape[1]} and "
            f"{tables[1].shape[1]}. Give both the same largest width, or share_embeddings=False."
        )
    target.weight = head.weight = tables[0]
