"""DenseNAS: blocks that are densely connected, so that their number and widths are searched for too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, Literal, TypeAlias, cast, get_args

from supernet.errors import UsageError
from supernet.nn import Statistics, Supernet, batch_norm
from supernet.nn.norm import check_statistics
from supernet.nn.routes import routes_of
from supernet.paper import Paper
from supernet.space import Arch
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.initialisation import fan_out_normal
from supernet.zoo.macro.densenas_network import BASIC, SKIP, DenseBlocks, DenseChain, dense_chain
from supernet.zoo.scaling import scaled_width, strides_for

PAPER = Paper(
    name="DenseNAS",
    title="Densely Connected Search Space for More Flexible Neural Architecture Search",
    authors=("Fang", "Sun", "Zhang", "Li", "Liu", "Wang"),
    venue="CVPR",
    year=2020,
    arxiv="1906.09607",
    provenance="official code",
)

TINY: dict[str, Any] = {"variant": "tiny"}

Variant: TypeAlias = Literal["mobilenetv2", "resnet", "tiny"]

_MB = ("MB3_K3", "MB6_K3", "MB3_K5", "MB6_K5", "MB3_K7", "MB6_K7")

PLANS: Mapping[str, DenseBlocks] = {
    "mobilenetv2": DenseBlocks(
        widths=(16, 24, 32, 40, 48, 56, 64, 72, 96, 112, 128, 160, 176, 192, 320, 352, 384),
        levels=(0, 1, *[2] * 3, *[3] * 6, *[4] * 6),
        stages=(0, 1, *[2] * 3, *[3] * 3, *[4] * 3, *[5] * 3, *[6] * 3, 7),
        layers=(0, *[3] * 13, 0, 0, 0),
        reach=4,
        heads=_MB,
        stacked=(*_MB, SKIP),
        stem=16,
        strides=(2, 2, 2, 2, 2),
        last=1984,
        first=True,
    ),
    "resnet": DenseBlocks(
        widths=(32, 48, 56, 64, 72, 96, 112, *range(128, 289, 16), 480, 496, 512),
        levels=(0, *[1] * 3, *[2] * 3, *[3] * 7, *[4] * 7),
        stages=(0, *[1] * 3, *[2] * 3, *[3] * 4, *[4] * 3, *[5] * 4, *[6] * 3, 7),
        layers=(0, 0, 0, 0, 5, 5, 5, *[15] * 4, *[5] * 7, 1, 1, 1),
        reach=10,
        heads=(BASIC,),
        stacked=(BASIC, SKIP),
        stem=32,
        strides=(2, 2, 2, 2, 2),
        last=512,
        first=False,
    ),
    "tiny": DenseBlocks(
        widths=(8, 12, 16, 20, 24, 28, 32),
        levels=(0, 0, 0, 1, 1, 1, 1),
        stages=(0, 1, 1, 1, 2, 2, 2, 3),
        layers=(0, 1, 1, 1, 1, 0, 0),
        reach=4,
        heads=("MB3_K3", "MB6_K3"),
        stacked=("MB3_K3", "MB6_K3", SKIP),
        stem=8,
        strides=(1, 2),
        last=64,
        first=True,
    ),
}


def densenas(
    *,
    variant: Variant = "mobilenetv2",
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    width_multiplier: float = 1.0,
    strides: Sequence[int] | None = None,
    last_conv: bool = True,
    normalise_last: bool = False,
    affine: bool = False,
    statistics: Statistics = "calibrate",
) -> Supernet:
    """DenseNAS: routes through densely connected blocks of growing width, and the operation of every layer on them.

    [arXiv 1906.09607](https://arxiv.org/abs/1906.09607), §3.1–3.2; sizes of the released search code.

    The choice `"block3.next"` has the numbers of the blocks that may follow block 3, or of the end, which is one more
    than the last; block 0 is fixed. `"block5.from3"` is the operation of the head layer by which block 5 takes what
    block 3 gives, and `"block5.layer1"` … those of its stacked layers; `MB3_K5` is an inverted residual of expansion 3
    and kernel 5, `basic` a residual block of two convolutions, and `skip` leaves a layer out. What is not on the route
    is not part of an architecture. A block leads to 4 later blocks at most (`"resnet"`: 10), but over no whole stage,
    and a way halves the map at most once.

    Args:
        variant: `"mobilenetv2"` (16 blocks behind the fixed one), `"resnet"` (20), or `"tiny"` (6, for small images),
            which is ours.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels; sets the default of `strides`.
        width_multiplier: Factor on all widths, rounded to multiples of 8.
        strides: Strides of the stem and of the ways to smaller maps; published (2, 2, 2, 2, 2). None: of these the
            leading ones become 1 until the last feature map has at least 4 × 4 pixels.
        last_conv: Whether a 1×1 convolution stands between the last block and the means. The derived ResNets of the
            paper were trained without it; their classifiers then depend on the last block.
        normalise_last: Whether what comes into the end is weighed by another softmax of its weights, as in the
            released code (which has it there alone).
        affine: Whether BatchNorms learn scale and shift; they do not in the search, and do in networks trained alone.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an unknown variant, or an option out of range.

    >>> net = densenas(variant="tiny", num_classes=10, in_channels=1, image_size=8)
    >>> net.module.routes.ways.count, net.space.size
    (48, 21192)
    """
    if variant not in PLANS:
        raise UsageError(f"The variant {variant!r} does not exist; use one of {get_args(Variant)}.")
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    check_statistics(statistics)
    plan = PLANS[variant]
    plan = replace(
        plan,
        widths=tuple(scaled_width(width, width_multiplier) for width in plan.widths),
        stem=scaled_width(plan.stem, width_multiplier),
        last=scaled_width(plan.last, width_multiplier),
    )
    net = dense_chain(
        plan,
        norm=partial(batch_norm, affine=affine, statistics=statistics, eps=1e-3),
        num_classes=num_classes,
        in_channels=in_channels,
        image_size=image_size,
        strides=strides_for(image_size, published=plan.strides, given=strides),
        last_conv=last_conv,
        normalise_last=normalise_last,
    )
    fan_out_normal(net, by="inputs", depthwise_alone=True)
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


def densenas_arch(net: Supernet, rows: Sequence[Sequence[Any]]) -> Arch:
    """The architecture that the rows of a released `net_config` describe.

    Args:
        net: A supernet of `densenas`, of full width.
        rows: For each block `[[width before, width], head, [stacked, …], …]`, with operations such as
            `"mbconv_k5_t6"` or `"basic_block"`; a first row of block 0 and a last one `"conv1_1"` may be there.

    Raises:
        UsageError: another space, or rows that are no architecture of it.
    """
    routes, widths = routes_of(net), cast(DenseChain, net.module).widths
    blocks = [row for row in rows if row[1] not in ("conv1_1", "mbconv_k3_t1")]
    found = [row[0][1] for row in blocks]
    unknown = [width for width in found if width not in widths]
    if unknown:
        raise UsageError(f"There is no block of {unknown[0]} channels; there are blocks of {widths}.")
    route = (0, *(widths.index(width) for width in found), routes.ways.last)
    options: dict[str, Any] = routes.ways.decisions(route)
    for (before, block), row in zip(pairwise(route), blocks, strict=False):
        if f"block{block}.from{before}" in net.space.names:
            options[f"block{block}.from{before}"] = _option(row[1])
        layers = [name for name in net.space.names if name.startswith(f"block{block}.layer")]
        if len(row[2]) > len(layers):
            raise UsageError(
                f"Block {block} has {len(layers)} stacked layers; the row {list(row)} gives {len(row[2])}."
            )
        stacked = [*map(_option, row[2]), *[SKIP] * (len(layers) - len(row[2]))]
        options |= dict(zip(layers, stacked, strict=True))
    return net.space.arch(options)


def _option(name: str) -> str:
    """`MB6_K5` from `mbconv_k5_t6`."""
    if name in ("basic_block", "skip_connect"):
        return BASIC if name == "basic_block" else SKIP
    _, kernel, expansion = name.split("_")
    return f"MB{expansion.removeprefix('t')}_{kernel.upper()}"
