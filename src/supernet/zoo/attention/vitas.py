"""The vision transformers of ViTAS (Su et al., ECCV 2022): patches, heads and widths of each layer, depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import (
    ClassToken,
    DotProductAttention,
    ElasticDepth,
    ElasticLayerNorm,
    ElasticLinear,
    ElasticPositions,
    OpChoice,
    PatchEmbed,
    Supernet,
)
from supernet.paper import Paper
from supernet.space import Arch, Choice, Expr, Space
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.attention.vision_transformer import (
    Pooling,
    TransformerBlock,
    VisionTransformer,
    side_of_grid,
    truncated_normal,
)
from supernet.zoo.axes import axis, given_or

PAPER = Paper(
    name="ViTAS",
    title="ViTAS: Vision Transformer Architecture Search",
    authors=("Su", "You", "Xie", "Zheng", "Wang", "Qian", "Zhang", "Wang", "Xu"),
    venue="ECCV",
    year=2022,
    arxiv="2106.13700",
    provenance="official code",
)

TINY: dict[str, Any] = {"variant": "tiny"}

Variant: TypeAlias = Literal["tiny", "small", "base"]
"""The published space up to the size of DeiT-S, that of ViTAS-F, or a small one that trains in minutes."""

_SIZES: dict[str, tuple[int, int, tuple[int, ...], int]] = {  # embedding, hidden, heads, layers
    "tiny": (40, 60, (1, 2), 3),
    "small": (384, 1440, (3, 6, 12, 16), 16),
    "base": (768, 2880, (3, 6, 12, 16), 13),
}

_PUBLISHED: dict[str, str] = {
    "a": "1 2 4 3 4 4 1 3 4 3 4 4 4 4 3 3 4 0 0 3 1 6 7 9 4 3 6 8 4 9 1 8 6 4 9 2 7 6 8 9 3 0 3 8 7 0 5 7 9 8 4 4",
    "b": "1 3 4 4 3 4 3 4 4 2 2 4 2 3 4 4 1 0 0 4 1 5 1 6 2 2 2 3 2 9 2 6 3 9 5 7 7 5 6 4 8 1 5 3 2 8 5 9 2 4 5 5",
    "c": "1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 5" + 12 * " 2 4",
    "e": "1 3 4 3 4 3 1 4 0 4 2 1 2 4 2 1 2 0 0 8 4 4 1 7 6 5 3 8 5 6 5 6 3 6 3 4 4 4 8 8 8 7 4 0 4 5 9 5 3 6 7 8",
    "f": "1 3 3 3 3 3 3 3 3 3 3 3 3 3 0 0 3 2 5 0 7 5 2 3 6 6 2 4 4 8 7 4 6 7 2 6 1 6 6 4 7 5 7",
}
"""The released genes: patch, head number of each layer (4: identity), two fixed ones, tenths of the embedding less one,
and of attention and MLP of each layer. C has no genes; its row says its published widths."""

_PATCHES = (14, 16, 32)


def vitas(
    *,
    variant: Variant = "small",
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    patches: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    tenths: Sequence[int] = tuple(range(1, 11)),
    depths: Sequence[int] | None = None,
    private: bool = True,
    pooling: Pooling = "token",
) -> Supernet:
    """ViTAS: patches and depth of a vision transformer, and heads and widths of each layer.

    Su et al., ECCV 2022, [arXiv 2106.13700](https://arxiv.org/abs/2106.13700), and official code.

    The choices are `"patch"`, `"width"`, `"depth"`, and per layer `"layer1.heads"`, `"layer1.attention"`, the width of
    its queries, of its keys and of its values, and `"layer1.hidden"`, that of its MLP. In the paper a layer may be the
    identity; which ones are decides only whose weights the others have, so that identities come last (identity shift),
    and their number is a depth. Each size of patches has a class token and positions of its own, and each number of
    heads queries and keys; values are shared. The weights follow the setting `slice`.

    Args:
        variant: `"small"`, of widths up to 384 and 1440, or `"base"`, up to 768 and 2880; `"tiny"` is for images of 8
            to 32 pixels.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels.
        patches: Sides of a patch in pixels; None: 14, 16 and 32, and of images below 64 pixels a quarter and a half.
        heads: Numbers of heads; None: 3, 6, 12 and 16, or 1 and 2 in the tiny one.
        tenths: Tenths of every largest width that may be chosen.
        depths: Numbers of layers; None: 1 to 16, or 13 in `"base"`, or 1 to 3.
        private: Whether class tokens and queries and keys are private, as said above.
        pooling: What the classifier reads: the class `"token"`, or the `"mean"` of the others.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an option out of range, patches that do not fill the image, or widths that heads do not divide.

    >>> vitas(variant="tiny", num_classes=10, in_channels=1, image_size=8, tenths=(5, 10), depths=(1, 2)).space.size
    288
    """
    if variant not in get_args(Variant):
        raise UsageError(f"The variant {variant!r} does not exist; use one of {get_args(Variant)}.")
    embedding, hidden, usual_heads, layers = _SIZES[variant]
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    usual_patches = _PATCHES if image_size >= 64 else tuple(sorted({max(1, image_size // 4), max(1, image_size // 2)}))
    usual_depths = (layers,) if variant == "base" else tuple(range(1, layers + 1))
    sides = {patch: side_of_grid(image_size, patch) for patch in given_or("patches", patches, usual_patches)}
    all_depths = given_or("depths", depths, usual_depths)
    all_heads, all_tenths = given_or("heads", heads, usual_heads), given_or("tenths", tenths, ())
    if max(all_tenths) > 10:
        raise UsageError(f"The tenths of a width are {all_tenths}; give some from 1 to 10.")
    patch, depth = axis("patch", tuple(sides)), axis("depth", all_depths)
    width = axis("width", [round(embedding * tenth / 10) for tenth in all_tenths])
    inner = [round(hidden // 3 * tenth / 10) for tenth in all_tenths]
    for size in inner:
        if any(size % count for count in all_heads):
            raise UsageError(f"Heads of the numbers {all_heads} do not divide the width {size}; choose other tenths.")

    def layer(number: int) -> nn.Module:
        when = depth > number if isinstance(depth, Expr) and number >= min(all_depths) else None
        name = f"layer{number + 1}"
        attention = PrivateAttention(
            width, axis(f"{name}.heads", all_heads, when), axis(f"{name}.attention", inner, when), private=private
        )
        mlp = axis(f"{name}.hidden", [round(hidden * tenth / 10) for tenth in all_tenths], when)
        share = number / max(1, max(all_depths) - 1)
        return TransformerBlock(width, attention, hidden=mlp, drop_path=share, eps=1e-6)

    largest = max(sides.values()) ** 2 + 1
    starts = {
        size: nn.Sequential(ClassToken(width), ElasticPositions(side**2 + 1 if private else largest, width))
        for size, side in sides.items()
    }
    start = OpChoice(patch, starts) if private and isinstance(patch, Choice) else starts[min(sides)]
    net = VisionTransformer(
        embed=nn.Sequential(PatchEmbed(in_channels, width, patch), start),
        blocks=ElasticDepth(depth, [layer(number) for number in range(max(all_depths))]),
        norm=ElasticLayerNorm(width),
        head=ElasticLinear(width, num_classes),
        pooling=pooling,
    )
    truncated_normal(net)
    for table in net.modules():
        if isinstance(table, ClassToken | ElasticPositions):  # released code: zeros
            nn.init.zeros_(table.token if isinstance(table, ClassToken) else table.positions)
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


class PrivateAttention(nn.Module):
    """Attention whose queries and keys are private to the number of heads: (B, T, c) -> (B, T, c).

    Args:
        width: Width c of the tokens.
        heads: The number of heads.
        inner: The width of queries, of keys and of values.
        private: Whether each number of heads has queries and keys of its own.
    """

    def __init__(self, width: Expr | int, heads: Choice | int, inner: Expr | int, *, private: bool) -> None:
        super().__init__()

        def both() -> nn.Module:
            return ElasticLinear(width, 2 * inner, unit=2)

        alone = private and isinstance(heads, Choice)
        self.query_key = OpChoice(heads, {count: both() for count in heads.options}) if alone else both()  # type: ignore[arg-type,union-attr]
        self.value = ElasticLinear(width, inner)
        self.attend = DotProductAttention(heads, inner // heads)
        self.project = ElasticLinear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        query_key = torch.unflatten(self.query_key(x), -1, (-1, 2))
        out: Tensor = self.project(self.attend(query_key[..., 0], query_key[..., 1], self.value(x)))
        return out


def vitas_arch(space: Space, genes: str) -> Arch:
    """An architecture from its name or from the genes of the released code.

    Args:
        space: The space of `vitas`; of the variant `"base"` for `"f"`.
        genes: `"a"`, `"b"`, `"c"`, `"e"` or `"f"`, the released architectures; or genes such as `"1 2 4 … 0 0 3 1 …"`:
            position of the patch, per layer that of the number of heads, or behind the last one of the identity, two
            zeros, then the tenths, less one, of the embedding and of attention and MLP of each layer.

    Raises:
        UsageError: they are no genes, or those of an architecture that is not in the space.
    """
    options = {name: choice.options for name, choice in zip(space.names, space.choices, strict=True)}
    try:
        numbers = [int(gene) for gene in _PUBLISHED.get(genes, genes).split()]
    except ValueError:
        numbers = []
    layers, rest = divmod(len(numbers) - 4, 3)
    if rest or layers < 1 or min(numbers) < 0:
        raise UsageError(
            f"{genes!r} is neither one of {tuple(_PUBLISHED)} nor genes: numbers from 0 on, of which a network of L "
            "layers has 3 L + 4."
        )
    heads, ratios = numbers[1 : layers + 1], numbers[layers + 4 :]
    count = len(options.get("layer1.heads", ()))
    kept = [place for place in range(layers) if heads[place] < count]
    found: dict[str, int] = {"patch": numbers[0], "width": numbers[layers + 3]}
    for number, place in enumerate(kept, start=1):
        found |= {
            f"layer{number}.heads": heads[place],
            f"layer{number}.attention": ratios[2 * place],
            f"layer{number}.hidden": ratios[2 * place + 1],
        }
    try:
        chosen: dict[str, Any] = {name: options[name][position] for name, position in found.items()}
        if "depth" in options:
            chosen["depth"] = len(kept)
        return space.arch(chosen)
    except (KeyError, IndexError, UsageError) as error:
        raise UsageError(
            f"The genes {genes!r} are not in this space ({error}); it needs the patches, heads, tenths and depths that "
            "they speak of, as zoo.vitas() has, and zoo.vitas(variant='base') for 'f'."
        ) from None


def vitas_flops(arch: Arch, *, num_classes: int = 1000, in_channels: int = 3, image_size: int = 224) -> int:
    """Multiply-accumulates as the released code counts them, which the published figures are.

    It leaves out the class token, and multiplies the classifier for every patch: 196 times in the published ones.
    `measure.macs` counts what is computed.

    Args:
        arch: An architecture of `vitas`.
        num_classes: Number of classes.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels.
    """
    options: Mapping[str, Any] = arch.options()
    width, patch = options["width"], options["patch"]
    tokens = (image_size // patch) ** 2
    total = in_channels * width * patch**2 * tokens + tokens * width * num_classes
    for number in range(1, options.get("depth", _SIZES["base"][3]) + 1):
        inner, hidden = options[f"layer{number}.attention"], options[f"layer{number}.hidden"]
        total += tokens * width * (4 * inner + 2 * hidden) + 2 * tokens**2 * inner
    return int(total)
