"""DenseNAS's densely connected network: where its blocks stand, and what they are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, cast

from torch import Tensor, nn

from supernet.nn import OpChoice, Routes
from supernet.nn.diagram import Diagram
from supernet.space import Arch, Choice
from supernet.space.ways import Ways
from supernet.zoo.chains.inverted_residual import InvertedResidual
from supernet.zoo.drawing import Block, chain
from supernet.zoo.layers import Norm, conv_bn

SKIP = "skip"
"""The option of a layer that is left out."""

BASIC = "basic"
"""The option of a residual block of two 3×3 convolutions."""


@dataclass(frozen=True)
class DenseBlocks:
    """Where blocks stand, from block 0, which is fixed, to the last.

    Attributes:
        widths: Channels of each block.
        levels: How often the map has been halved behind the stem, at each block.
        stages: The stage of each block, and of the end.
        layers: Stacked layers of each block behind its head layer.
        reach: How many of the next blocks may follow a block.
        heads: The operations of a head layer; one alone is no choice.
        stacked: The operations of a stacked layer.
        stem: Channels of the stem.
        strides: Strides of the stem and of the way to each level.
        last: Channels of the convolution at the end.
        first: Whether block 0 is an inverted residual behind the stem (else it is the stem).
    """

    widths: tuple[int, ...]
    levels: tuple[int, ...]
    stages: tuple[int, ...]
    layers: tuple[int, ...]
    reach: int
    heads: tuple[str, ...]
    stacked: tuple[str, ...]
    stem: int
    strides: tuple[int, ...]
    last: int
    first: bool

    def following(self) -> list[tuple[int, ...]]:
        """The blocks that may come next: no stage and no level is jumped over, and the end has maps of its size."""
        levels, end = (*self.levels, self.levels[-1]), len(self.widths)
        found = []
        for block in range(end):
            nodes: list[int] = []
            for after in range(block + 1, min(block + self.reach, end) + 1):
                if self.stages[after] - self.stages[block] > 1 or levels[after] - levels[block] > int(after < end):
                    break
                nodes.append(after)
            found.append(tuple(nodes))
        return found


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut: (B, c_in, H, W) -> (B, c_out, ⌈H/s⌉, ⌈W/s⌉)."""

    def __init__(self, width_in: int, width_out: int, *, stride: int, norm: Norm) -> None:
        super().__init__()
        self.width_in, self.width_out, self.stride = width_in, width_out, stride
        self.body = nn.Sequential(
            *conv_bn(width_in, width_out, 3, stride=stride, norm=norm, activation="relu"),
            *conv_bn(width_out, width_out, 3, norm=norm),
        )
        stays = stride == 1 and width_in == width_out
        self.shortcut = nn.Sequential(*([] if stays else conv_bn(width_in, width_out, stride=stride, norm=norm)))
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.body(x) + self.shortcut(x))
        return out


class DenseChain(nn.Module):
    """Stem, and routes through blocks to the logits: (B, C_in, H, W) -> (B, K)."""

    def __init__(
        self, stem: nn.Sequential, routes: Routes, widths: Sequence[int], strides: Sequence[int], image_size: int
    ) -> None:
        super().__init__()
        self.stem, self.routes = stem, routes
        self.widths, self.image_size, self.strides = tuple(widths), image_size, tuple(strides)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.routes(self.stem(x))
        return out

    def diagram(self, arch: Arch) -> Diagram:
        """The blocks along the route, with their layers; those that are left out are not drawn."""
        return chain(self._drawn(arch), size=self.image_size)

    def _drawn(self, arch: Arch) -> Iterator[Block]:
        first = cast(nn.Conv2d, self.stem[0])
        yield Block("conv 3×3", first.in_channels, first.out_channels, first.stride[0])
        if len(self.stem) > 3:
            yield Block("MB1 k3", first.out_channels, self.widths[0])
        ways = self.routes.ways
        for node, after in pairwise(ways.route(lambda choice: arch[choice.name])):
            if after == ways.last:
                continue
            block = _some(self.routes.edge(node, after))
            yield Block(_label(self.routes.edge(node, after), arch), self.widths[node], block.width_out, block.stride)
            for layer in cast(nn.Sequential, self.routes.bodies[after]):
                if _label(layer, arch) != SKIP:
                    yield Block(_label(layer, arch), block.width_out, block.width_out)
        end = self.widths[ways.route(lambda choice: arch[choice.name])[-2]]
        yield Block("to logits", end, end)


def dense_chain(
    plan: DenseBlocks,
    *,
    norm: Norm,
    num_classes: int,
    in_channels: int,
    image_size: int,
    strides: Sequence[int],
    last_conv: bool,
    normalise_last: bool,
) -> DenseChain:
    """The network of a plan, with these strides of the stem and of the ways to each level."""
    activation = "relu6" if plan.first else "relu"
    stem = conv_bn(in_channels, plan.stem, 3, stride=strides[0], norm=norm, activation=activation)
    if plan.first:
        stem.append(_operation("MB1_K3", plan.stem, plan.widths[0], 1, norm))
    ways = Ways(plan.following())
    edges: dict[tuple[int, int], nn.Module] = {}
    for block, nodes in enumerate(ways.following):
        for after in nodes:
            width = plan.widths[block]
            if after == ways.last:
                edges[block, after] = _end(width, plan.last, norm, num_classes, last_conv)
                continue
            stride = strides[plan.levels[after]] if plan.levels[after] > plan.levels[block] else 1
            made = partial(_operation, width_in=width, width_out=plan.widths[after], stride=stride, norm=norm)
            name = f"block{after}.from{block}"
            edges[block, after] = _layer(name, plan.heads, made, ways.taken(block, after))
    bodies: list[nn.Module] = [nn.Identity()]
    for block, (width, layers) in enumerate(zip(plan.widths, plan.layers, strict=True)):
        made = partial(_operation, width_in=width, width_out=width, stride=1, norm=norm)
        stacked = (f"block{block}.layer{number}" for number in range(1, layers + 1))
        if block:
            bodies.append(nn.Sequential(*(_layer(name, plan.stacked, made, ways.on(block)) for name in stacked)))
    bodies.append(_classifier(plan.last, num_classes) if last_conv else nn.Identity())
    routes = Routes(ways, edges, bodies, normalise_last=normalise_last)
    return DenseChain(nn.Sequential(*stem), routes, plan.widths, strides, image_size)


def _layer(name: str, options: Sequence[str], made: Any, when: Any) -> nn.Module:
    if len(options) == 1:
        found: nn.Module = made(options[0])
        return found
    choice = Choice(name, options, when=when, order=tuple(sorted(options, key=_cost)))
    return OpChoice(choice, {option: made(option) for option in options})


def _operation(option: str, width_in: int, width_out: int, stride: int, norm: Norm) -> nn.Module:
    if option == SKIP:
        return nn.Identity()
    if option == BASIC:
        return BasicBlock(width_in, width_out, stride=stride, norm=norm)
    expansion, kernel = sizes(option)
    return InvertedResidual(
        width_in, width_out, expansion=expansion, kernel=kernel, stride=stride, norm=norm, activation="relu6"
    )


def sizes(option: str) -> tuple[int, int]:
    """Expansion and kernel of an option such as `MB6_K5`."""
    expansion, kernel = option.removeprefix("MB").split("_K")
    return int(expansion), int(kernel)


def _cost(option: Any) -> tuple[int, int]:
    return (0, 0) if option == SKIP else (1, 0) if option == BASIC else sizes(option)


def _end(width: int, last: int, norm: Norm, num_classes: int, last_conv: bool) -> nn.Sequential:
    return (
        nn.Sequential(*conv_bn(width, last, norm=norm, activation="relu6"))
        if last_conv
        else _classifier(width, num_classes)
    )


def _classifier(width: int, num_classes: int) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes))


def _some(layer: nn.Module) -> Any:
    """A block of a layer, of which all have the same shapes."""
    return next(iter(layer.candidates.values())) if isinstance(layer, OpChoice) else layer


def _label(layer: nn.Module, arch: Arch) -> str:
    option = str(arch[layer.choice.name]) if isinstance(layer, OpChoice) else BASIC
    return option.replace("_K", " k")
