"""The space of AttentiveNAS (Wang et al., CVPR 2021) and AlphaNet (Wang et al., ICML 2021)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from supernet.errors import UsageError
from supernet.nn import Statistics, Supernet
from supernet.paper import Paper
from supernet.space import Arch, Space
from supernet.space.text import listed
from supernet.zoo.elastic.single_stage import Config, SharedStage, SingleStage, arch_of, config_of, single_stage_net

PAPER = (
    Paper(
        name="AttentiveNAS",
        title="AttentiveNAS: Improving Neural Architecture Search via Attentive Sampling",
        authors=("Wang", "Li", "Gong", "Chandra"),
        venue="CVPR",
        year=2021,
        arxiv="2011.09011",
        provenance="official code",
    ),
    Paper(
        name="AlphaNet",
        title="AlphaNet: Improved Training of Supernets with Alpha-Divergence",
        authors=("Wang", "Gong", "Li", "Liu", "Chandra"),
        venue="ICML",
        year=2021,
        arxiv="2102.07954",
        provenance="official code",
    ),
)

PUBLISHED = SingleStage(
    stem=(16, 24),
    stages=(
        SharedStage(widths=(16, 24), depths=(1, 2), expansions=(1,), squeeze_excite=False),
        SharedStage(widths=(24, 32), depths=(3, 4, 5), expansions=(4, 5, 6), stride=2, squeeze_excite=False),
        SharedStage(widths=(32, 40), depths=(3, 4, 5, 6), expansions=(4, 5, 6), stride=2),
        SharedStage(widths=(64, 72), depths=(3, 4, 5, 6), expansions=(4, 5, 6), stride=2, squeeze_excite=False),
        SharedStage(widths=(112, 120, 128), depths=(3, 4, 5, 6, 7, 8), expansions=(4, 5, 6)),
        SharedStage(widths=(192, 200, 208, 216), depths=(3, 4, 5, 6, 7, 8), stride=2),
        SharedStage(widths=(216, 224), depths=(1, 2)),
    ),
    head=(1792, 1984),
    resolutions=(192, 224, 256, 288),
    pooled_head=True,
)

TINY: dict[str, Any] = {"width_multiplier": 0.25, "depth_multiplier": 0.4}
"""For images of 28 to 64 pixels, with every kind of choice: `attentivenas(**TINY, image_size=28, num_classes=10)`."""


def attentivenas(
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
    """AttentiveNAS's and AlphaNet's: resolution, and per stage width, depth, kernel, expansion; 440,301,256,704.

    AttentiveNAS: [arXiv 2011.09011](https://arxiv.org/abs/2011.09011), and official code; AlphaNet:
    [arXiv 2102.07954](https://arxiv.org/abs/2102.07954).

    The choices are `"resolution"`, `"stem.width"`, for each of seven stages `"stage1.width"`, `"stage1.depth"`,
    `"stage1.kernel"`, `"stage1.expansion"`, which all blocks of the stage share, and `"head.width"`; where there is but
    one option there is no choice. Weights start from PyTorch's default initialisation, as in the official code.

    Args:
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels; sets the defaults of `strides` and `resolutions`.
        width_multiplier: Factor on all widths, rounded to multiples of 8; options that become equal are one.
        depth_multiplier: Factor on all depths, rounded up; options that become equal are one.
        strides: Strides of the stem and of the first block of each stage; published (2, 1, 2, 2, 2, 1, 2, 1). None: of
            these the leading ones become 1 until the last feature map has at least 4 × 4 pixels.
        resolutions: Sides in pixels to which the images are resized, bicubically; published (192, 224, 256, 288). None:
            as much smaller and larger than `image_size` as those are than 224.
        dropout: Probability of dropping a feature before the classifier; a method may confine it to the largest subnet.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.
        zero_gamma: Whether every block starts as its shortcut, the last BatchNorm at scale 0.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes). It reads the setting `drop_path`, which acts in the last
        two stages, in proportion to the position of the block.

    Raises:
        UsageError: an option out of range, or a resolution too small for the strides.

    >>> net = attentivenas(**TINY, image_size=28, num_classes=10)
    >>> net.space.choices[0].options, net.space.smallest()["stage2.kernel"]
    ((24, 28, 32, 36), 3)
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


def attentivenas_arch(space: Space, model: str | Config) -> Arch:
    """The architecture of a published model, or of a configuration as the official code writes it.

    Args:
        space: A space of `attentivenas`.
        model: `"a0"` … `"a6"`; `"a5_small"` or `"a5_base"`, which AlphaNet has in place of `"a5"`; or a mapping with
            `resolution`, `width` (stem, seven stages, head), `kernel_size`, `expand_ratio`, `depth` (seven stages).

    Raises:
        UsageError: an unknown name, another form, or a space that does not have the architecture.

    >>> attentivenas_arch(attentivenas().space, "a5")["stage6.depth"]
    6
    """
    if isinstance(model, str):
        if model not in MODELS:
            raise UsageError(
                f"There is no published model {model!r}; there are {listed(sorted(MODELS), wanted=model)}."
            )
        model = MODELS[model]
    return arch_of(space, model, PUBLISHED)


def attentivenas_config(arch: Arch) -> dict[str, Any]:
    """An architecture as the official code writes it, see `attentivenas_arch`.

    Raises:
        UsageError: the architecture is of another space.

    >>> attentivenas_config(attentivenas().space.smallest()) == MODELS["a0"]
    True
    """
    return config_of(arch, PUBLISHED)


def _model(resolution: int, width: str, kernel: str, expansion: str, depth: str) -> Config:
    return {
        "resolution": resolution,
        "width": [int(number) for number in width.split()],
        **{
            key: [int(digit) for digit in digits]
            for key, digits in (("kernel_size", kernel), ("expand_ratio", expansion), ("depth", depth))
        },
    }


MODELS: Mapping[str, Config] = {
    "a0": _model(192, "16 16 24 32 64 112 192 216 1792", "3333333", "1444466", "1333331"),
    "a1": _model(224, "16 16 24 32 64 112 192 216 1984", "3335353", "1444466", "1333331"),
    "a2": _model(224, "16 16 24 32 64 112 200 224 1984", "3333353", "1454466", "1333341"),
    "a3": _model(224, "16 16 24 32 64 112 208 224 1984", "3335333", "1444466", "2334351"),
    "a4": _model(256, "16 16 24 32 64 112 192 216 1984", "3335353", "1445466", "1334351"),
    "a5": _model(256, "16 16 24 32 72 112 192 216 1792", "3335333", "1454466", "1333461"),
    "a5_small": _model(256, "16 16 24 32 64 112 208 216 1984", "3333353", "1445466", "1334451"),
    "a5_base": _model(288, "16 16 24 32 64 112 200 216 1984", "3355333", "1444566", "2343351"),
    "a6": _model(288, "16 16 24 32 64 112 216 224 1984", "3333353", "1465466", "1334461"),
}
"""The published models, from the smallest to the largest."""
