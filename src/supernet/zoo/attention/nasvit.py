"""The hybrid space of NASViT (Gong et al., ICLR 2022): convolutions first, then attention."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, get_args

from supernet.errors import UsageError
from supernet.nn import Statistics, Supernet
from supernet.paper import Paper
from supernet.space import Arch, Space
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.attention.hybrid_layer import HybridLayer, Norm
from supernet.zoo.elastic.single_stage import Config, SharedStage, SingleStage, arch_of, config_of, single_stage_net
from supernet.zoo.scaling import strides_for

PAPER = Paper(
    name="NASViT",
    title="NASViT: Neural Architecture Search for Efficient Vision Transformers with Gradient Conflict aware Supernet "
    "Training",
    authors=("Gong", "Wang", "Li", "Chen", "Yan", "Tian", "Liu", "Chandra"),
    venue="ICLR",
    year=2022,
    url="https://openreview.net/forum?id=Qaw16njk6L",
    provenance="official code",
)

PUBLISHED = SingleStage(
    stem=(16, 24),
    stages=(
        SharedStage(widths=(16, 24), depths=(1, 2), expansions=(1,), squeeze_excite=False),
        SharedStage(widths=(24, 32), depths=(3, 4, 5), expansions=(4, 5, 6), stride=2, squeeze_excite=False),
        SharedStage(widths=(32, 40), depths=(3, 4, 5, 6), kernels=(3,), expansions=(4, 5, 6), stride=2),
        SharedStage(
            widths=(64, 72),
            depths=(3, 4, 5, 6),
            kernels=(3,),
            expansions=(4, 5, 6),
            stride=2,
            squeeze_excite=False,
            hybrid=True,
        ),
        SharedStage(
            widths=(112, 120, 128),
            depths=(3, 4, 5, 6, 7, 8, 9),
            kernels=(3,),
            expansions=(4, 5, 6),
            stride=2,
            hybrid=True,
        ),
        SharedStage(widths=(160, 168, 176, 184), depths=(3, 4, 5, 6, 7, 8), kernels=(3,), hybrid=True),
        SharedStage(widths=(208, 216, 224), depths=(3, 4, 5, 6), kernels=(3,), stride=2, hybrid=True),
    ),
    head=(1792, 1984),
    resolutions=(192, 224, 256, 288),
    pooled_head=True,
)

TINY: dict[str, Any] = {"width_multiplier": 0.25, "depth_multiplier": 0.4, "window": None}
"""For images of 28 to 64 pixels, with every kind of choice: `nasvit(**TINY, image_size=28, num_classes=10)`."""


def nasvit(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    width_multiplier: float = 1.0,
    depth_multiplier: float = 1.0,
    strides: Sequence[int] | None = None,
    resolutions: Sequence[int] | None = None,
    window: int | None = 18,
    norm: Norm = "joint",
    dropout: float = 0.0,
    statistics: Statistics = "calibrate",
    zero_gamma: bool = True,
) -> Supernet:
    """NASViT's: resolution, and per stage width, depth, kernel, expansion; later stages attend; 48,157,949,952.

    [OpenReview](https://openreview.net/forum?id=Qaw16njk6L), as the released code has it. Three stages are those of
    `attentivenas`; each of four more begins with an MBConv block, and goes on with transformer layers of width 8 per
    head, whose branches end with a scale for each depth and number of tokens (`nn.ScalingBank`).

    The choices are `"resolution"`, `"stem.width"`, for each of seven stages `"stage1.width"` and `"stage1.depth"`, for
    the first two `"stage1.kernel"`, for the second to the fifth `"stage2.expansion"`, which in hybrid stages is that of
    the first block, and `"head.width"`. Weights start from PyTorch's default initialisation, as in the official code.

    Args:
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels; sets the defaults of `strides` and `resolutions`.
        width_multiplier: Factor on all widths, rounded to multiples of 8; options that become equal are one.
        depth_multiplier: Factor on all depths, rounded up; options that become equal are one.
        strides: Strides of the stem and of the first block of each stage; published (2, 1, 2, 2, 2, 2, 1, 2). None: of
            these the last ones become 1 until the last feature map has at least 4 × 4 pixels, so that attention has few
            tokens.
        resolutions: Sides in pixels to which the images are resized, bicubically; published (192, 224, 256, 288). None:
            as much smaller and larger than `image_size` as those are than 224.
        window: Side of the window whose offsets have a bias each, at least that of the largest map with attention;
            None: in each stage that of its own largest map.
        norm: What the LayerNorms take mean and variance over: all tokens and features of an image together
            (`"joint"`), as the official code does, or the features of each token (`"token"`), as is usual.
        dropout: Probability of dropping a feature before the classifier; the official code has none.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.
        zero_gamma: Whether every MBConv block starts as its shortcut, the last BatchNorm at scale 0.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an option out of range, a resolution too small for the strides, or a window too small for the maps.

    >>> net = nasvit(**TINY, image_size=28, num_classes=10)
    >>> net.space.choices[0].options, net.space.largest()["stage5.depth"]
    ((24, 28, 32, 36), 4)
    """
    check_at_least_one(image_size=image_size)
    if norm not in get_args(Norm):
        raise UsageError(f"The norm {norm!r} does not exist; use one of {get_args(Norm)}.")
    return single_stage_net(
        PUBLISHED,
        num_classes=num_classes,
        in_channels=in_channels,
        image_size=image_size,
        width_multiplier=width_multiplier,
        depth_multiplier=depth_multiplier,
        strides=strides_for(image_size, published=PUBLISHED.strides, given=strides, keep="first"),
        resolutions=resolutions,
        dropout=dropout,
        statistics=statistics,
        zero_gamma=zero_gamma,
        later=partial(HybridLayer, window=window, norm=norm),
    )


def nasvit_arch(space: Space, config: Config) -> Arch:
    """The architecture of a configuration as the official code writes it.

    Args:
        space: A space of `nasvit`.
        config: A mapping with `resolution`, `width` (stem, seven stages, head), `kernel_size`, `expand_ratio`, `depth`
            (seven stages). The models A0 to A5 of the paper were not released.

    Raises:
        UsageError: another form, or a space that does not have the architecture.
    """
    return arch_of(space, config, PUBLISHED)


def nasvit_config(arch: Arch) -> dict[str, Any]:
    """An architecture as the official code writes it, see `nasvit_arch`.

    Raises:
        UsageError: the architecture is of another space.

    >>> net = nasvit()
    >>> nasvit_config(net.space.largest())["width"]
    [24, 24, 32, 40, 72, 128, 184, 224, 1984]
    >>> nasvit_arch(net.space, nasvit_config(net.space.smallest())) == net.space.smallest()
    True
    """
    return config_of(arch, PUBLISHED)
