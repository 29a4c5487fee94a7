"""The network of HR-NAS: branches of different resolution side by side, and heads for images and for pixels."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.nn.channels import Atoms, sizes_of
from supernet.zoo.layers import conv_bn
from supernet.zoo.macro.hr_nas_unit import ACTIVATIONS, MixedUnit, Units

Make = Callable[..., MixedUnit]
"""Makes a unit of a name, two widths, the branch that it reads, and perhaps a stride."""


class HRStage(NamedTuple):
    """A stage: units and width of each branch, the finest first."""

    blocks: tuple[int, ...]
    widths: tuple[int, ...]


class Fusion(nn.Module):
    """Exchanges between neighbouring branches, makes new ones, and runs units in each: n maps -> m maps.

    What a branch gets is the activation of the sum of a unit on each of its neighbours and on itself; from a coarser
    one its result is enlarged, from a finer one its stride is 2. A new branch is a unit of stride 2 on the one before.

    Args:
        name: The name of the stage.
        before: Widths of the n branches so far.
        stage: The stage.
        make: Makes units.
        activation: The activation, of `ACTIVATIONS`.
    """

    def __init__(self, name: str, before: Sequence[int], stage: HRStage, make: Make, activation: str) -> None:
        super().__init__()
        self.activation, self.old = activation, min(len(before), len(stage.widths))
        self.fuse = nn.ModuleDict()
        for to, source in self._pairs(len(before), len(stage.widths)):
            width = before[source] if to < self.old else stage.widths[source]
            stride = 2 if source < to else 1
            key = f"to{to}from{source}"
            self.fuse[key] = make(f"{name}.{key}", width, stage.widths[to], branch=source, stride=stride)
        self.branches = nn.ModuleList(
            nn.Sequential(*(make(f"{name}.branch{b}.{n}", width, width, branch=b, stride=1) for n in range(blocks)))
            for b, (blocks, width) in enumerate(zip(stage.blocks, stage.widths, strict=True))
        )
        self.sources = len(before)

    def _pairs(self, before: int, after: int) -> Iterator[tuple[int, int]]:
        for to in range(self.old):
            yield from ((to, source) for source in (to - 1, to, to + 1) if 0 <= source < before)
        yield from ((to, to - 1) for to in range(self.old, after))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        terms: list[list[Tensor]] = [[] for _ in range(self.old)]
        fused: list[Tensor] = []
        for to, source in self._pairs(self.sources, len(self.branches)):
            unit = self.fuse[f"to{to}from{source}"]
            if to >= self.old:
                fused.append(unit(fused[source]))
                continue
            found = unit(maps[source])
            terms[to].append(F.interpolate(found, scale_factor=2.0, mode="nearest") if source > to else found)
            if source == min(to + 1, self.sources - 1):
                fused.append(ACTIVATIONS[self.activation](reduce(operator.add, terms[to])))
        return [branch(x) for branch, x in zip(self.branches, fused, strict=True)]


class ImageHead(nn.Module):
    """Widens every branch and adds them up from the finest to the coarsest: maps -> logits (B, K).

    Args:
        before: Widths of the branches.
        widths: Widths that they are brought to.
        last: Width of the features.
        make: Makes units.
        units: What all units have in common.
        dropout: Share of the features that is dropped.
        num_classes: The number K of classes.
    """

    def __init__(
        self,
        before: Sequence[int],
        widths: Sequence[int],
        last: int,
        make: Make,
        units: Units,
        *,
        dropout: float,
        num_classes: int,
    ) -> None:
        super().__init__()
        self.widen = nn.ModuleList(
            make(f"head.widen{b}", width, widths[b], branch=b, stride=1) for b, width in enumerate(before)
        )
        self.down = nn.ModuleList(
            make(f"head.down{b}", widths[b], widths[b + 1], branch=b, stride=2) for b in range(len(widths) - 1)
        )
        features = conv_bn(widths[-1], last, norm=units.norm, activation=units.activation)
        pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout))
        self.last = nn.Sequential(*features, *pooled, nn.Linear(last, num_classes))

    def forward(self, maps: list[Tensor]) -> Tensor:
        widened = [unit(x) for unit, x in zip(self.widen, maps, strict=True)]
        x = widened[0]
        for finer, coarse in zip(self.down, widened[1:], strict=True):
            x = coarse + finer(x)
        logits: Tensor = self.last(x)
        return logits


class PixelHead(nn.Module):
    """Enlarges all branches to the finest, and one unit reads them together: maps -> logits (B, K, H / s, W / s).

    Args:
        before: Widths of the branches.
        last: Width of the features.
        make: Makes units.
        num_classes: The number K of classes.
    """

    def __init__(self, before: Sequence[int], last: int, make: Make, *, num_classes: int) -> None:
        super().__init__()
        self.join = make("head.join", sum(before), last, branch=0, stride=1)
        self.classes = nn.Conv2d(last, num_classes, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        size = maps[0].shape[2:]
        coarser = [F.interpolate(x, size=size, mode="bilinear", align_corners=False) for x in maps[1:]]
        logits: Tensor = self.classes(self.join(torch.cat([maps[0], *coarser], 1)))
        return logits


class HRNet(nn.Module):
    """Stem, stages of parallel branches, head: (B, C, H, W) -> logits of images or of pixels.

    Args:
        stem: The first layers.
        stages: The stages.
        head: The head.
    """

    def __init__(self, stem: nn.Module, stages: Sequence[Fusion], head: ImageHead | PixelHead) -> None:
        super().__init__()
        self.stem, self.stages, self.head = stem, nn.ModuleList(stages), head

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.stem(x)]
        for stage in self.stages:
            maps = stage(maps)
        logits: Tensor = self.head(maps)
        return logits

    def units(self) -> Iterator[tuple[str, MixedUnit]]:
        """All units in the order in which they run, by their place in the network."""
        yield from ((path, unit) for path, unit in self.named_modules() if isinstance(unit, MixedUnit))

    def atoms(self) -> list[Atoms]:
        """The channels and tokens that may be cut, with their multiply-accumulates."""
        return [atoms for path, unit in self.units() for atoms in unit.atoms(path)]

    def sizes(self) -> dict[str, int]:
        """How many channels every group has, and how many tokens every transformer, by dimension, as they are now."""
        return sizes_of(self)
