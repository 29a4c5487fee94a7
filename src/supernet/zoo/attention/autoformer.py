"""The vision transformers of AutoFormer (Chen et al., ICCV 2021): width, depth, heads and MLPs of each layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

from torch import nn

from supernet.errors import UsageError
from supernet.nn import (
    ClassToken,
    ElasticAttention,
    ElasticDepth,
    ElasticDropout,
    ElasticLayerNorm,
    ElasticLinear,
    ElasticPositions,
    PatchEmbed,
    RelativePositions2d,
    Supernet,
)
from supernet.paper import Paper
from supernet.space import Arch, Expr, Space
from supernet.zoo.arguments import check_at_least_one, check_dropout
from supernet.zoo.attention.vision_transformer import (
    Pooling,
    TransformerBlock,
    VisionTransformer,
    side_of_grid,
    truncated_normal,
)
from supernet.zoo.axes import axis, check_factors, given_or

PAPER = Paper(
    name="AutoFormer",
    title="AutoFormer: Searching Transformers for Visual Recognition",
    authors=("Chen", "Peng", "Fu", "Ling"),
    venue="ICCV",
    year=2021,
    arxiv="2107.00651",
    provenance="official code",
)

TINY: dict[str, Any] = {"variant": "tiny"}

Variant: TypeAlias = Literal["tiny", "t", "s", "b"]
"""Which of the published spaces, or a small one that trains in minutes."""


@dataclass(frozen=True)
class _Options:
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    ratios: tuple[float, ...]
    head_dim: int = 64


_VARIANTS: dict[str, _Options] = {
    "tiny": _Options((24, 32, 40), (2, 3), (2, 3), (1.5, 2), 8),
    "t": _Options((192, 216, 240), (12, 13, 14), (3, 4), (3.5, 4)),
    "s": _Options((320, 384, 448), (12, 13, 14), (5, 6, 7), (3, 3.5, 4)),
    "b": _Options((528, 576, 624), (14, 15, 16), (9, 10), (3, 3.5, 4)),
}

_PUBLISHED: dict[str, tuple[int, str, str]] = {  # width, heads, MLP ratios in halves
    "t": (192, "3 3 3 3 3 3 3 3 3 3 4 3 3", "7 7 6 7 6 6 8 8 7 8 7 8 7"),
    "s": (384, "6 6 5 7 5 5 5 6 6 7 7 6 7", "6 7 6 7 8 8 8 8 8 8 8 7 8"),
    "b": (576, "9 9 9 9 9 10 9 9 10 9 10 9 9 10", "7 7 8 7 8 7 7 6 8 8 6 8 6 7"),
}


def autoformer(
    *,
    variant: Variant = "t",
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    patch: int | None = None,
    widths: Sequence[int] | None = None,
    depths: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    ratios: Sequence[float] | None = None,
    head_dim: int | None = None,
    pooling: Pooling = "mean",
    relative: bool = True,
    clip: int = 14,
    dropout: float = 0.0,
) -> Supernet:
    """AutoFormer: width and depth of a vision transformer, and per layer its heads and the ratio of its MLP.

    Chen et al., ICCV 2021, [arXiv 2107.00651](https://arxiv.org/abs/2107.00651), table 1 and official code.

    The choices are `"width"`, `"depth"`, `"layer1.heads"`, `"layer1.ratio"` …; those of a layer count where the network
    is deep enough. Every architecture is a prefix of the largest (weight entanglement, §3.2): of the embedding, of
    queries, keys and values by whole heads, of the MLPs. Keys and values have relative positions. The defaults are the
    published ImageNet setting of the official commands (`--gp --change_qkv --relative_position`). An axis with a
    single option is fixed and makes no choice.

    Args:
        variant: The published space `"t"`, `"s"` or `"b"`; `"tiny"` is a small one for images of 8 to 32 pixels.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels.
        patch: Side of a patch in pixels; None: 16, and a quarter of images below 64 pixels.
        widths: Widths of the embedding; None: by the variant, as for the next ones.
        depths: Numbers of layers.
        heads: Numbers of heads.
        ratios: Hidden width of an MLP over the width of the embedding.
        head_dim: Width of a head, the same in every architecture.
        pooling: What the classifier reads: the `"mean"` of the tokens, or the class `"token"`.
        relative: Whether keys and values have relative positions.
        clip: The distance, in patches, from which on all relative positions are alike.
        dropout: Probability of dropping a feature, in the widest network; narrower ones drop in proportion.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an option out of range, or patches that do not fill the image.

    >>> autoformer(variant="tiny", num_classes=10, in_channels=1, image_size=8).space.size
    240
    """
    if variant not in get_args(Variant):
        raise UsageError(f"The variant {variant!r} does not exist; use one of {get_args(Variant)}.")
    published = _VARIANTS[variant]
    head_dim = published.head_dim if head_dim is None else head_dim
    patch = (16 if image_size >= 64 else max(1, image_size // 4)) if patch is None else patch
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size, patch=patch)
    check_at_least_one(head_dim=head_dim, clip=clip)
    check_dropout(dropout)
    side = side_of_grid(image_size, patch)
    all_depths = given_or("depths", depths, published.depths)
    width = axis("width", given_or("widths", widths, published.widths))
    depth = axis("depth", all_depths)
    all_heads = given_or("heads", heads, published.heads)
    all_ratios = tuple(published.ratios if ratios is None else ratios)
    check_factors(ratios=all_ratios)

    def layer(number: int) -> nn.Module:
        when = depth > number if isinstance(depth, Expr) and number >= min(all_depths) else None
        related = [RelativePositions2d(side, head_dim, clip=clip) if relative else None for _ in range(2)]
        attention = ElasticAttention(
            width,
            axis(f"layer{number + 1}.heads", all_heads, when),
            head_dim,
            relative_keys=related[0],
            relative_values=related[1],
        )
        hidden: Any = cast(Any, width) * axis(f"layer{number + 1}.ratio", all_ratios, when)
        hidden = hidden.map(int, "whole") if isinstance(hidden, Expr) else int(hidden)
        share = number / max(1, max(all_depths) - 1)
        return TransformerBlock(width, attention, hidden=hidden, drop_path=share, dropout=dropout)

    dropped: list[nn.Module] = [ElasticDropout(dropout, width)] if dropout else []
    tokens: list[nn.Module] = [PatchEmbed(in_channels, width, patch), ClassToken(width)]
    tokens.append(ElasticPositions(side * side + 1, width))
    net = VisionTransformer(
        embed=nn.Sequential(*tokens, *dropped),
        blocks=ElasticDepth(depth, [layer(number) for number in range(max(all_depths))]),
        norm=ElasticLayerNorm(width),
        head=ElasticLinear(width, num_classes),
        pooling=pooling,
    )
    truncated_normal(net)
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


def autoformer_arch(space: Space, name: Literal["t", "s", "b"]) -> Arch:
    """The published architecture AutoFormer-T, -S or -B.

    Args:
        space: The space of `autoformer` of that variant. That of T needs `ratios=(3, 3.5, 4)`: the released T has
            layers of the ratio 3, which its published space lacks.
        name: Which of them.

    Raises:
        UsageError: an unknown name, or a space without it.
    """
    if name not in _PUBLISHED:
        raise UsageError(f"There is no published AutoFormer {name!r}; give one of {tuple(_PUBLISHED)}.")
    width, *texts = _PUBLISHED[name]
    all_heads, all_ratios = ([int(number) for number in text.split()] for text in texts)
    options: dict[str, Any] = {"width": width, "depth": len(all_heads)}
    for number, (count, halves) in enumerate(zip(all_heads, all_ratios, strict=True), start=1):
        options |= {f"layer{number}.heads": count, f"layer{number}.ratio": halves / 2}
    try:
        return space.arch(options)
    except UsageError as error:
        wanted = "autoformer(variant='t', ratios=(3, 3.5, 4))" if name == "t" else f"autoformer(variant={name!r})"
        raise UsageError(
            f"AutoFormer-{name.upper()} is not in this space: {error} It is in that of {wanted}."
        ) from None
