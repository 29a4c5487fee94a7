"""What the chains share: where their layers stand, and the network of stem, layers of choice blocks and head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple, cast

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import OpChoice
from supernet.nn.diagram import Diagram
from supernet.space import Arch, Space
from supernet.zoo.drawing import Block, chain


class Place(NamedTuple):
    """Where a layer stands: its name, its widths and stride, and whether it is the first of its stage."""

    name: str
    width_in: int
    width_out: int
    stride: int
    first: bool


def places(width_in: int, widths: Sequence[int], depths: Sequence[int], strides: Sequence[int]) -> Iterator[Place]:
    """The layers `"layer1"`, `"layer2"` … of all stages, the first of each with the stage's stride."""
    number = 0
    for width, depth, stride in zip(widths, depths, strides, strict=True):
        for place in range(depth):
            number += 1
            yield Place(f"layer{number}", width_in, width, stride if place == 0 else 1, place == 0)
            width_in = width


class Chain(nn.Module):
    """Stem, perhaps a fixed block, layers that are choice blocks, head: (B, C_in, H, W) -> (B, K).

    The candidates of a layer, but for identities, have `width_in`, `width_out` and `stride`. `depths` are the layers of
    each stage; None: all layers are one stage.
    """

    def __init__(
        self,
        stem: Sequence[nn.Module],
        layers: Sequence[OpChoice],
        head: nn.Sequential,
        *,
        first: nn.Module | None = None,
        image_size: int | None = None,
        depths: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.depths = (len(layers),) if depths is None else tuple(depths)
        self.stem = nn.Sequential(*stem)
        self.first = first
        self.layers, self.head, self.image_size = nn.Sequential(*layers), head, image_size

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        if self.first is not None:
            x = self.first(x)
        out: Tensor = self.head(self.layers(x))
        return out

    @property
    def stage_names(self) -> tuple[tuple[str, ...], ...]:
        """The modules of each stage, see `nn.stage_modules.Staged`."""
        begin = ["stem"] if self.first is None else ["stem", "first"]
        ends = list(accumulate(self.depths))
        rows = [[f"layers.{number}" for number in range(*ends)] for ends in pairwise([0, *ends])]
        return (tuple(begin + rows[0]), *map(tuple, rows[1:]))

    def diagram(self, arch: Arch) -> Diagram:
        """The chain of stem, fixed block, layers (those of identity included) and head."""
        stem, head = cast(nn.Conv2d, self.stem[0]), cast(nn.Conv2d, self.head[0])
        drawn = [Block("conv 3×3", stem.in_channels, stem.out_channels, stem.stride[0])]
        if self.first is not None:
            drawn.append(Block("MB1 k3", cast(Any, self.first).width_in, cast(Any, self.first).width_out))
        for layer in self.layers:
            name, candidates = cast(OpChoice, layer).choice.name, cast(OpChoice, layer).candidates.values()
            block = next(cast(Any, candidate) for candidate in candidates if hasattr(candidate, "width_in"))
            drawn.append(Block(self.label(name, block, arch), block.width_in, block.width_out, block.stride))
        drawn.append(Block("conv 1×1", head.in_channels, head.out_channels))
        return chain(drawn, size=self.image_size)

    def label(self, name: str, block: Any, arch: Arch) -> str:
        """What a drawing says of a layer; an identity where the shape changes is a convolution."""
        option = str(arch[name])
        if option == "identity" and (block.stride > 1 or block.width_in != block.width_out):
            return "conv 1×1"
        return option.replace("_K", " k").replace("_SE", " SE") if option.startswith("MB") else option


def foreign(space: Space, what: str, builder: str) -> UsageError:
    """The error for an architecture that a published spelling cannot name."""
    return UsageError(
        f"{what} belong to the space of zoo.{builder}(); got a space with {len(space)} choices "
        f"({', '.join(space.names[:3])} …)."
    )
