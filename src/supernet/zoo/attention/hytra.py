"""The hybrid networks of BossNAS (Li et al., ICCV 2021): convolution or attention per layer, and where maps shrink."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeAlias, cast, get_args

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Statistics, Supernet, batch_norm
from supernet.nn.diagram import Diagram
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch, Space
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.attention.hytra_blocks import EXPANSION, Style
from supernet.zoo.attention.hytra_plan import (
    WITH_ATTENTION,
    Design,
    Plan,
    all_routes,
    checked_routes,
    entered_by,
    scale_at,
)
from supernet.zoo.drawing import Block, chain
from supernet.zoo.layers import activation_layer, classifier

PAPER = Paper(
    name="BossNAS",
    title="BossNAS: Exploring Hybrid CNN-transformers with Block-wisely Self-supervised Neural Architecture Search",
    authors=("Li", "Tang", "Wang", "Peng", "Wang", "Liang", "Chang"),
    venue="ICCV",
    year=2021,
    arxiv="2103.12424",
    provenance="official code",
)

TINY: dict[str, Any] = {"variant": "tiny"}

Variant: TypeAlias = Literal["full", "tiny"]
"""The published space, or a small one that trains in seconds on images of 8 to 32 pixels."""

_SIZES: dict[str, tuple[tuple[int, ...], tuple[int, ...], int, int]] = {  # widths, depths, stem, head
    "full": ((256, 512, 1024, 2048), (4, 4, 4, 4), 64, 64),
    "tiny": ((16, 32, 64), (2, 2), 8, 8),
}

_PUBLISHED: dict[str, str] = {"T0": "1 1 11101 000100000", "T1": "1 1 11101 000100000", "R50": "111 1111 111111 111"}
"""Released encodings: per scale its layers, 1 a convolution and 0 attention."""


def hytra(
    *,
    variant: Variant = "full",
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    widths: Sequence[int] | None = None,
    depths: Sequence[int] | None = None,
    stem_width: int | None = None,
    head_width: int | None = None,
    routes: Sequence[Sequence[int]] | None = None,
    first_halves: bool = True,
    design: Design = "supernet",
    squeeze: bool = False,
    activation: Literal["relu", "swish"] = "relu",
    last_stride: Literal[1, 2] = 2,
    zero_gamma: bool = True,
    statistics: Statistics = "calibrate",
) -> Supernet:
    """HyTra: where the map of a network of 16 layers is halved, and per layer convolution or attention.

    Li et al., ICCV 2021, [arXiv 2103.12424](https://arxiv.org/abs/2103.12424), and official code.

    The choice `"route"` has tuples of layers as options: (2, 3, 8) halves the map in the layers 2, 3 and 8, and each
    halving doubles the channels. A layer halves at most once, so that routes are at most one scale apart from layer to
    layer. `"layer5"` is `"conv"` or `"att"`, and counts where the route has the layer at one of the last two scales;
    above them all layers are convolutions. Layers stand in stages of four, `stages.0` … , which BossNAS trains one
    after another.

    Args:
        variant: The published space, or the tiny one.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels. Below 64 the stem is a 3 × 3 convolution that does not reduce them.
        widths: Channels from the first scale to the last, multiples of 4; None: by the variant, as for the next ones.
        depths: Layers of each stage.
        stem_width: Channels of the stem.
        head_width: Channels of a head of attention; a block of c channels has c / 4 of them in heads.
        routes: The routes there are; None: all. One alone makes no choice, and a network without what others need.
        first_halves: Whether the first layer may halve the map of the stem, as in the released restricted space of
            1,703,991 networks; without it there are 786,484.
        design: `"supernet"`: a 3 × 3 convolution beside blocks that halve, and between the stem and the first layer a
            depthwise convolution to its scale. `"bossnet"`: means of 2 × 2 pixels and a 1 × 1 convolution, the stem
            enters the first layer, and drop-path around convolutions follows the setting of that name.
        squeeze: Whether blocks of convolutions end with squeeze-and-excitation (T0 and T1).
        activation: `"relu"`, or `"swish"` (T0 and T1).
        last_stride: Stride of the last halving; 1: it doubles the channels alone (T1).
        zero_gamma: Whether the last BatchNorm of a block begins at 0.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an option out of range, or a route that is none.

    >>> net = hytra(variant="tiny", num_classes=10, in_channels=1, image_size=8)
    >>> net.space.size, str(net.space.largest())
    (99, 'route=:')
    """
    for what, given, known in (("variant", variant, Variant), ("design", design, Design)):
        if given not in get_args(known):
            raise UsageError(f"The {what} {given!r} does not exist; use one of {get_args(known)}.")
    if last_stride not in (1, 2) or activation not in ("relu", "swish"):
        raise UsageError(
            f"The last stride is 1 or 2 and the activation 'relu' or 'swish'; got {last_stride!r} and {activation!r}."
        )
    usual_widths, usual_depths, usual_stem, usual_head = _SIZES[variant]
    all_widths = tuple(usual_widths if widths is None else widths)
    all_depths = tuple(usual_depths if depths is None else depths)
    stem = usual_stem if stem_width is None else stem_width
    head = usual_head if head_width is None else head_width
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    check_at_least_one(stem_width=stem, head_width=head)
    check_statistics(statistics)
    _check_sizes(all_widths, all_depths, head)
    least = 2 ** (len(all_widths) - 1) * (4 if image_size >= 64 else 1)
    if image_size < least:
        raise UsageError(
            f"Images of {image_size} × {image_size} pixels cannot be halved {len(all_widths) - 1} times; give images "
            f"of {least} or more, or fewer widths."
        )
    style = Style(
        norm=partial(batch_norm, statistics=statistics),
        activation=activation,
        pooled=design == "bossnet",
        squeeze=squeeze,
        head_width=head,
    )
    given_routes = all_routes(sum(all_depths), len(all_widths) - 1, first_halves=first_halves)
    if routes is not None:
        given_routes = checked_routes(routes, sum(all_depths), len(all_widths) - 1, first_halves)
    plan = Plan(all_widths, all_depths, stem, given_routes, style, design, last_stride)
    net = HyTra(
        stem=_stem(in_channels, stem, style, small=image_size < 64),
        stages=list(plan.stages()),
        join=plan.join(),
        head=classifier([], all_widths[-1], num_classes),
        plan=plan,
        image_size=image_size,
    )
    _initialise(net, zero_gamma=zero_gamma, fan_out=design == "bossnet")
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


class HyTra(nn.Module):
    """Stem, stages of layers, a way from any scale to the last one, classifier: (B, C, H, W) -> (B, K).

    Attributes:
        stage_names: The modules of each stage, the first of which begins with the stem.
    """

    def __init__(
        self,
        *,
        stem: nn.Module,
        stages: Sequence[nn.Module],
        join: nn.Module,
        head: nn.Module,
        plan: Plan,
        image_size: int,
    ) -> None:
        super().__init__()
        self.stem, self.stages, self.join, self.head = stem, nn.Sequential(*stages), join, head
        names = tuple(f"stages.{number}" for number in range(len(stages)))
        self.stage_names = (("stem", names[0]), *((name,) for name in names[1:]))
        self._drawn = (plan.widths, plan.layers, plan.routes[0], image_size)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.join(self.stages(self.stem(x))))
        return logits

    def diagram(self, arch: Arch) -> Diagram:
        """The chain of the layers."""
        widths, layers, only, size = self._drawn
        options: Mapping[str, Any] = arch.options()
        route = options.get("route", only)
        blocks, channels = [], cast(nn.Conv2d, cast(Any, self.stem)[0]).out_channels
        blocks.append(
            Block("stem", cast(nn.Conv2d, cast(Any, self.stem)[0]).in_channels, channels, 4 if size >= 64 else 1)
        )
        for layer in range(1, layers + 1):
            width = widths[scale_at(route, layer=layer)]
            label = {"conv": "ResConv", "att": "ResAtt"}[options.get(f"layer{layer}", "conv")]
            blocks.append(Block(label, channels, width, 1 + entered_by(route, layer=layer)))
            channels = width
        return chain(blocks, size=size)


def _stem(in_channels: int, width: int, style: Style, *, small: bool) -> nn.Module:
    kernel, stride = (3, 1) if small else (7, 2)
    convolution = nn.Conv2d(in_channels, width, kernel, stride=stride, padding=kernel // 2, bias=False)
    pool = [] if small else [nn.MaxPool2d(3, stride=2, padding=1)]
    return nn.Sequential(convolution, style.norm(width), activation_layer(style.activation), *pool)


def _initialise(net: nn.Module, *, zero_gamma: bool, fan_out: bool) -> None:
    for layer in net.modules():
        if fan_out and isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        if zero_gamma and hasattr(layer, "body"):
            last = [inner for inner in cast(nn.Module, layer.body).modules() if isinstance(inner, nn.BatchNorm2d)][-1]
            nn.init.zeros_(last.weight)


def _check_sizes(widths: Sequence[int], depths: Sequence[int], head: int) -> None:
    for name, sizes, unit in (("widths", widths, EXPANSION), ("depths", depths, 1)):
        wrong = not sizes or any(not isinstance(size, int) or size < 1 or size % unit for size in sizes)
        if wrong:
            told = f"multiples of {unit}" if unit > 1 else "whole numbers of at least 1"
            raise UsageError(f"The {name} are {tuple(sizes)}; give one or more {told}.")
    for width in widths[-WITH_ATTENTION:]:
        inner = width // EXPANSION
        if inner % max(1, inner // head):
            raise UsageError(
                f"Heads of {head} channels do not divide the {inner} inside a block of {width}; choose another "
                "head_width, or other widths."
            )


def hytra_arch(space: Space, encoding: str) -> Arch:
    """An architecture from its name or from the encoding of the released code.

    Args:
        space: The space of `hytra`.
        encoding: `"T0"`, `"T1"` (the same architecture; the network has `last_stride=1`) or `"R50"`; or the layers at
            each scale, such as `"1 1 11101 000100000"`, where 1 is a convolution and 0 attention.

    Raises:
        UsageError: it is neither, or the space has no such architecture.
    """
    stages = _PUBLISHED.get(encoding, encoding).split(" ")
    if set("".join(stages)) - set("01"):
        raise UsageError(
            f"{encoding!r} is neither one of {tuple(_PUBLISHED)} nor an encoding: the layers at each scale, "
            "such as '1 1 11101 000100000'."
        )
    kinds, ends = "".join(stages), [sum(map(len, stages[:number])) for number in range(1, len(stages))]
    route = tuple(end + 1 for end in ends if end < len(kinds))
    chosen: dict[str, Any] = {"route": route} if "route" in space.names else {}
    names = {f"layer{number}": kind for number, kind in enumerate(kinds, start=1)}
    if len({name for name in space.names if name != "route"} - names.keys()):
        raise UsageError(f"{encoding!r} has {len(kinds)} layers, and the space of zoo.hytra() more.")
    chosen |= {name: "conv" if kind == "1" else "att" for name, kind in names.items() if name in space.names}
    return space.arch(chosen)
