"""The space of Neural Architecture Transfer (Lu et al., IEEE TPAMI 2021): Once-for-All's at two widths."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import nn

from supernet.errors import UsageError
from supernet.nn import ElasticBatchNorm2d, ElasticResolution, OpChoice, Statistics, Supernet
from supernet.nn.diagram import Diagram
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch, Choice
from supernet.zoo.arguments import check_at_least_one, check_dropout
from supernet.zoo.axes import SharedAxes, check_axes
from supernet.zoo.chains.inverted_residual import InvertedResidual
from supernet.zoo.elastic.ofa_chain import OfaChain, OfaStage, ofa_resolutions, ofa_stages
from supernet.zoo.initialisation import fan_out_normal
from supernet.zoo.layers import activation_layer, conv_bn
from supernet.zoo.scaling import scaled_width, strides_for

PAPER = Paper(
    name="NAT",
    title="Neural Architecture Transfer",
    authors=("Lu", "Sreekumar", "Goodman", "Banzhaf", "Deb", "Boddeti"),
    venue="IEEE TPAMI",
    journal=True,
    year=2021,
    arxiv="2005.05859",
    provenance="official code",
)

STEM, FIRST, EXPAND, HEAD = 16, 16, 960, 1280
STAGES = (
    OfaStage(24, 2, "mish"),
    OfaStage(40, 2, "mish", gated=True),
    OfaStage(80, 2, "mish"),
    OfaStage(112, 1, "mish", gated=True),
    OfaStage(160, 2, "mish", gated=True),
)

TINY: dict[str, Any] = {"width_multipliers": (0.2, 0.25), "depths": (1, 2), "expansions": (2, 3, 4)}
"""Options of a network for images of 28 to 64 pixels that trains on a CPU."""


def nat_mobilenetv3(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 256,
    width_multipliers: Sequence[float] = (1.0, 1.2),
    depths: Sequence[int] = (2, 3, 4),
    kernels: Sequence[int] = (3, 5, 7),
    expansions: Sequence[int] = (3, 4, 6),
    resolutions: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    transform: bool = True,
    dropout: float = 0.0,
    statistics: Statistics = "calibrate",
) -> Supernet:
    """NAT's MobileNetV3: a width of two, a resolution, and OFA's depths, kernels and expansions; 7.4 · 10²⁰ networks.

    Lu et al., IEEE TPAMI 2021, [arXiv 2005.05859](https://arxiv.org/abs/2005.05859), §3.1.

    Two of OFA's chains that share no weight, one per width, between which the choice `"width"` decides; all other
    choices, named as in `zoo.ofa_mobilenetv3`, are those of both. Every activation but those of the gates is Mish, as
    in the released networks.

    Args:
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels.
        width_multipliers: Factors on all widths, one chain for each.
        depths: Numbers of blocks that each of the five stages may have.
        kernels: Sides of the depthwise kernels.
        expansions: Ratios of hidden to input width.
        resolutions: Sides in pixels to which the images are resized; None: 192, 196 … 256 at 256 pixels, else some from
            5/8 of the image to the image itself.
        strides: Strides of the stem, the fixed block and the five stages; None: (2, 1, 2, 2, 2, 1, 2), of which as many
            are 1 as small images need.
        transform: Whether smaller kernels are made of larger ones by matrices; without it they are the centre.
        dropout: Probability with which features are dropped before the classifier; the larger released networks have
            0.2.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an option out of range, or a resolution too small for the strides.

    >>> small = nat_mobilenetv3(width_multipliers=(0.1, 0.2), image_size=28, resolutions=(20, 28))
    >>> small.space.size == 2 * 2 * 7371**5
    True
    """
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    check_axes(depths=depths, kernels=kernels, expansions=expansions)
    check_statistics(statistics)
    check_dropout(dropout)
    widths = tuple(width_multipliers)
    if not widths or len(set(widths)) < len(widths) or min(widths) <= 0:
        raise UsageError(f"The width multipliers are {widths}; give at least one positive number, each once.")
    strides = strides_for(image_size, published=(2, 1, *(stage.stride for stage in STAGES)), given=strides)
    published = tuple(range(192, 257, 4)) if image_size == 256 and resolutions is None else resolutions
    sides = ofa_resolutions(image_size, published, strides)
    choices = SharedAxes()
    chains = {
        width: _chain(
            width,
            in_channels,
            num_classes,
            strides,
            resize=ElasticResolution(choices("resolution", sides), native=image_size),
            choices=choices,
            depths=depths,
            kernels=kernels,
            expansions=expansions,
            transform=transform,
            dropout=dropout,
            statistics=statistics,
        )
        for width in widths
    }
    net: nn.Module = chains[widths[0]] if len(widths) == 1 else OfWidths(chains)
    fan_out_normal(net, by="inputs")
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


class OfWidths(nn.Module):
    """Chains of several widths, of which one runs: (B, C_in, H, W) -> (B, K)."""

    def __init__(self, chains: dict[float, OfaChain]) -> None:
        super().__init__()
        self.chain = OpChoice(Choice("width", tuple(chains)), chains)

    def forward(self, x: Any) -> Any:
        return self.chain(x)

    def diagram(self, arch: Arch) -> Diagram:
        """The chain of the width that runs."""
        width: Any = arch["width"]
        chain: Any = self.chain.candidate(self.chain.choice.position(width))
        drawn: Diagram = chain.diagram(arch)
        return drawn


def _chain(
    width: float,
    in_channels: int,
    num_classes: int,
    strides: Sequence[int],
    *,
    resize: ElasticResolution,
    dropout: float,
    statistics: Statistics,
    **axes: Any,
) -> OfaChain:
    stem, first, expand, head = (scaled_width(part, width) for part in (STEM, FIRST, EXPAND, HEAD))
    widths = [scaled_width(stage.width, width) for stage in STAGES]
    norm = partial(ElasticBatchNorm2d, statistics=statistics)
    return OfaChain(
        resize=resize,
        stem=conv_bn(in_channels, stem, 3, stride=strides[0], norm=norm, activation="mish"),
        first=InvertedResidual(stem, first, expansion=1, kernel=3, stride=strides[1], norm=norm, activation="mish"),
        stages=ofa_stages(STAGES, first, widths, strides[2:], statistics=statistics, eps=1e-5, **axes),
        head=nn.Sequential(
            *conv_bn(widths[-1], expand, norm=norm, activation="mish"),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(expand, head, 1, bias=False),
            activation_layer("mish"),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(head, num_classes),
        ),
    )
