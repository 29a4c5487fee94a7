"""The space of BigNAS (Yu et al., ECCV 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supernet.nn import Statistics, Supernet
from supernet.paper import Paper
from supernet.space import Arch, Space
from supernet.zoo.elastic.single_stage import Config, SharedStage, SingleStage, arch_of, config_of, single_stage_net

PAPER = Paper(
    name="BigNAS",
    title="BigNAS: Scaling Up Neural Architecture Search with Big Single-Stage Models",
    authors=("Yu", "Jin", "Liu", "Bender", "Kindermans", "Tan", "Huang", "Song", "Pang", "Le"),
    venue="ECCV",
    year=2020,
    arxiv="2003.11142",
    provenance="others' code",
)

PUBLISHED = SingleStage(
    stem=(32, 40),
    stages=(
        SharedStage(widths=(16, 24), depths=(1, 2), kernels=(3,), expansions=(1,)),
        SharedStage(widths=(24, 32), depths=(2, 3), kernels=(3,), stride=2),
        SharedStage(widths=(40, 48), depths=(2, 3), stride=2),
        SharedStage(widths=(80, 88), depths=(2, 3, 4), stride=2),
        SharedStage(widths=(112, 120, 128), depths=(2, 3, 4, 5, 6)),
        SharedStage(widths=(192, 200, 208, 216), depths=(2, 3, 4, 5, 6), stride=2),
        SharedStage(widths=(320, 352), depths=(1, 2)),
    ),
    head=(1280, 1408),
    resolutions=(192, 224, 288, 320),
    pooled_head=False,
)

TINY: dict[str, Any] = {"width_multiplier": 0.25, "depth_multiplier": 0.5}
"""For images of 28 to 64 pixels, with every kind of choice: `bignas(**TINY, image_size=28, num_classes=10)`."""


def bignas(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    width_multiplier: float = 1.0,
    depth_multiplier: float = 1.0,
    strides: Sequence[int] | None = None,
    resolutions: Sequence[int] | None = None,
    dropout: float = 0.2,
    statistics: Statistics = "calibrate",
    zero_gamma: bool = True,
) -> Supernet:
    """BigNAS's: resolution, and per stage width, depth and kernel; 235,929,600.

    [arXiv 2003.11142](https://arxiv.org/abs/2003.11142), as the re-implementation xfey/pytorch-BigNAS has it; no code
    was released.

    The choices are `"resolution"`, `"stem.width"`, for each of seven stages `"stage1.width"`, `"stage1.depth"`,
    `"stage1.kernel"`, which all blocks of the stage share, and `"head.width"`; where there is but one option there is
    no choice. Weights start from PyTorch's default initialisation.

    Args:
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels; sets the defaults of `strides` and `resolutions`.
        width_multiplier: Factor on all widths, rounded to multiples of 8; options that become equal are one.
        depth_multiplier: Factor on all depths, rounded up; options that become equal are one.
        strides: Strides of the stem and of the first block of each stage; published (2, 1, 2, 2, 2, 1, 2, 1). None: of
            these the leading ones become 1 until the last feature map has at least 4 × 4 pixels.
        resolutions: Sides in pixels to which the images are resized, bicubically; published (192, 224, 288, 320). None:
            as much smaller and larger than `image_size` as those are than 224.
        dropout: Probability of dropping a feature before the classifier; a method may confine it to the largest subnet.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.
        zero_gamma: Whether every block starts as its shortcut, the last BatchNorm at scale 0 (§3.1).

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes). It reads the setting `drop_path`, which acts in the last
        two stages, in proportion to the position of the block.

    Raises:
        UsageError: an option out of range, or a resolution too small for the strides.

    >>> net = bignas(**TINY, image_size=28, num_classes=10)
    >>> net.space.choices[0].options, net.space.largest()["stage5.depth"]
    ((24, 28, 36, 40), 3)
    """
    return single_stage_net(
        PUBLISHED,
        num_classes=num_classes,
        in_channels=in_channels,
        image_size=image_size,
        width_multiplier=width_multiplier,
        depth_multiplier=depth_multiplier,
        strides=strides,
        resolutions=resolutions,
        dropout=dropout,
        statistics=statistics,
        zero_gamma=zero_gamma,
    )


def bignas_arch(space: Space, config: Config) -> Arch:
    """The architecture of a configuration as the re-implementation xfey/pytorch-BigNAS writes it, in small letters.

    Args:
        space: A space of `bignas`.
        config: A mapping with `resolution`, `width` (stem, seven stages, head), `kernel_size`, `expand_ratio` (1, and 6
            six times), `depth` (seven stages).

    Raises:
        UsageError: another form, or a space that does not have the architecture.
    """
    return arch_of(space, config, PUBLISHED)


def bignas_config(arch: Arch) -> dict[str, Any]:
    """An architecture as the re-implementation writes it, see `bignas_arch`.

    Raises:
        UsageError: the architecture is of another space.

    >>> net = bignas()
    >>> bignas_config(net.space.largest())["depth"]
    [2, 3, 3, 4, 6, 6, 2]
    >>> bignas_arch(net.space, bignas_config(net.space.smallest())) == net.space.smallest()
    True
    """
    return config_of(arch, PUBLISHED)
