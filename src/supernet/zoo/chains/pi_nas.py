"""The space of Π-NAS (Peng et al., ICCV 2021): ResNeSt-50 whose blocks choose radix, cardinality and width."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import OpChoice, Statistics, Supernet, batch_norm
from supernet.nn.diagram import Diagram
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch, Choice, Space
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.chains.chain import Place, foreign, places
from supernet.zoo.chains.split_attention import ResNeStBody
from supernet.zoo.drawing import Block, chain
from supernet.zoo.layers import Norm, classifier, conv_bn
from supernet.zoo.scaling import scaled_depths, scaled_width, strides_for

PAPER = Paper(
    name="Π-NAS",
    title="Pi-NAS: Improving Neural Architecture Search by Reducing Supernet Training Consistency Shift",
    authors=("Peng", "Zhang", "Li", "Wang", "Liang", "Lin"),
    venue="ICCV",
    year=2021,
    arxiv="2108.09671",
    provenance="official code",
)

CANDIDATES = {"1s1x64d": (1, 1, 64), "2s1x64d": (2, 1, 64), "1s2x42d": (1, 2, 42), "2s2x40d": (2, 2, 40)}
"""Radix, cardinality and base width by option, in the order of the released code."""

WIDTHS, DEPTHS, STRIDES, EXPANSION = (64, 128, 256, 512), (3, 4, 6, 3), (2, 2, 1, 2, 2, 2), 4

PUBLISHED = {"cls": "3013231203213032", "trans": "3333113330011021"}
"""The architectures that the paper found, for ImageNet and for transfer."""

TINY: dict[str, Any] = {"width_multiplier": 0.125, "depth_multiplier": 0.25}
"""Options of a network of five blocks for images of 8 to 32 pixels that trains on a CPU."""


def pi_nas(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    width_multiplier: float = 1.0,
    depth_multiplier: float | Sequence[float] = 1.0,
    strides: Sequence[int] | None = None,
    zero_gamma: bool = True,
    statistics: Statistics = "calibrate",
) -> Supernet:
    """Π-NAS's space: each of 16 blocks of ResNeSt-50 has one of 4 radices, cardinalities and widths; 4.29 · 10⁹.

    Peng et al., ICCV 2021, [arXiv 2108.09671](https://arxiv.org/abs/2108.09671), released code. The choices `"layer1"`
    … `"layer16"` have the options `1s1x64d`, `2s1x64d`, `1s2x42d` and `2s2x40d`: radix, cardinality, base width. The
    candidates of a block share its shortcut.

    Args:
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels; sets the default of `strides`.
        width_multiplier: Factor on all widths, rounded to multiples of 8.
        depth_multiplier: Factor on the blocks of the stages (3, 4, 6, 3), rounded up; one number or one per stage.
        strides: Strides of the stem, its pooling and the first block of each stage; published (2, 2, 1, 2, 2, 2). None:
            of these the leading ones become 1 until the last feature map has at least 4 × 4 pixels.
        zero_gamma: Whether the last BatchNorm of each candidate begins with a scale of zero, as in the released
            supernet.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an option out of range.

    >>> net = pi_nas(num_classes=10, in_channels=1, image_size=8, **TINY)
    >>> net.space.size == 4**5
    True
    """
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    check_statistics(statistics)
    strides = strides_for(image_size, published=STRIDES, given=strides)
    width, *planes = (scaled_width(width, width_multiplier) for width in (WIDTHS[0], *WIDTHS))
    norm = partial(batch_norm, statistics=statistics)
    half = max(1, width // 2)
    stem = [
        *conv_bn(in_channels, half, 3, stride=strides[0], norm=norm, activation="relu"),
        *conv_bn(half, half, 3, norm=norm, activation="relu"),
        *conv_bn(half, width, 3, norm=norm, activation="relu"),
        nn.MaxPool2d(3, strides[1], padding=1),
    ]
    outputs = [EXPANSION * width for width in planes]
    depths = scaled_depths(DEPTHS, depth_multiplier)
    layers = [ResNeStLayer(place, norm, zero_gamma) for place in places(width, outputs, depths, strides[2:])]
    net = ResNeSt(stem, layers, classifier([], outputs[-1], num_classes), image_size=image_size)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


class ResNeStLayer(nn.Module):
    """A choice between bottlenecks, beside one shortcut: (B, c_in, H, W) -> (B, c_out, ⌈H/s⌉, ⌈W/s⌉).

    Where widths or sides differ the shortcut is average pooling and a 1 × 1 convolution.

    Args:
        place: Where it stands.
        norm: Maker of BatchNorms.
        zero_gamma: See `ResNeStBody`.
    """

    def __init__(self, place: Place, norm: Norm, zero_gamma: bool) -> None:
        super().__init__()
        name, width_in, width_out, stride, _ = place
        self.place = place
        body = partial(ResNeStBody, width_in, width_out, planes=width_out // EXPANSION, stride=stride, norm=norm)
        candidates = {
            option: body(radix=radix, cardinality=cardinality, base=base, zero_gamma=zero_gamma)
            for option, (radix, cardinality, base) in CANDIDATES.items()
        }
        self.body = OpChoice(Choice(name, tuple(CANDIDATES)), candidates)
        pooled = [nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)] if stride > 1 else []
        same = stride == 1 and width_in == width_out
        self.shortcut = nn.Identity() if same else nn.Sequential(*pooled, *conv_bn(width_in, width_out, norm=norm))
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.body(x) + self.shortcut(x))
        return out


class ResNeSt(nn.Module):
    """Stem, layers, head: (B, C_in, H, W) -> (B, K)."""

    def __init__(
        self, stem: Sequence[nn.Module], layers: Sequence[ResNeStLayer], head: nn.Sequential, *, image_size: int
    ) -> None:
        super().__init__()
        self.stem, self.layers, self.head = nn.Sequential(*stem), nn.Sequential(*layers), head
        self.image_size = image_size

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.layers(self.stem(x)))
        return out

    def diagram(self, arch: Arch) -> Diagram:
        """The chain of stem and blocks, with widths and spatial sizes."""
        convolutions = [layer for layer in self.stem if isinstance(layer, nn.Conv2d)]
        drawn = [Block("conv 3×3", c.in_channels, c.out_channels, c.stride[0]) for c in convolutions]
        width, pool = convolutions[-1].out_channels, cast(Any, self.stem[-1])
        drawn.append(Block("max pool 3×3", width, width, pool.stride))
        for layer in self.layers:
            name, width_in, width_out, stride, _ = cast(ResNeStLayer, layer).place
            drawn.append(Block(str(arch[name]), width_in, width_out, stride))
        return chain(drawn, size=self.image_size)


def pi_nas_string(arch: Arch) -> str:
    """The digits of the released code, one per block: the number of its candidate.

    Raises:
        UsageError: the architecture is of another space.
    """
    _check_space(arch.space)
    return "".join(map(str, arch.code))


def pi_nas_arch(space: Space, text: str) -> Arch:
    """The architecture of digits as the released code has them, such as `PUBLISHED["cls"]`; spaces count nothing.

    Raises:
        UsageError: another space, or not one digit from 0 to 3 for each block.
    """
    _check_space(space)
    digits = text.replace(" ", "")
    if len(digits) != len(space) or not set(digits) <= set("0123"):
        raise UsageError(
            f"{text!r} is not an architecture of this space. Write {len(space)} digits from 0 to 3, one per block, "
            f"such as {PUBLISHED['cls'][: len(space)]!r}."
        )
    options = tuple(CANDIDATES)
    return space.arch({name: options[int(digit)] for name, digit in zip(space.names, digits, strict=True)})


def _check_space(space: Space) -> None:
    if any(choice.options != tuple(CANDIDATES) for choice in space.choices):
        raise foreign(space, "Digits of Π-NAS", "pi_nas")
