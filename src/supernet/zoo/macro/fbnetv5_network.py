"""The network of FBNetV5: paths of several resolutions, whose blocks and exchanges may be left out; heads by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.nn import OpChoice
from supernet.nn.members import is_silent, total
from supernet.zoo.chains.inverted_residual import InvertedResidual
from supernet.zoo.layers import Norm, activation_layer, conv_bn

SKIP, BLOCK = "skip", "block"
NONE, FUSE = "none", "fuse"


class Resolution(NamedTuple):
    """A path: its width, how a map of it is made of the one before, and its blocks.

    Attributes:
        width: Channels.
        begin: Expansion and kernel of the block of stride 2 that the path begins with.
        expansion: Expansion of its blocks.
        kernel: Side of their depthwise kernels.
        gated: Whether its blocks have squeeze and excitation.
        blocks: Blocks of each stage.
    """

    width: int
    begin: tuple[int, int]
    expansion: int
    kernel: int
    gated: bool
    blocks: int


class NoFusion(nn.Module):
    """An exchange that is left out: zeros of the shape that it would have."""

    silent = True

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        self.width, self.levels = width, levels

    def forward(self, x: Tensor) -> Tensor:
        """(B, c, H, W) -> (B, width, H', W')."""
        scale = 2.0**-self.levels
        return x.new_zeros(x.shape[0], self.width, int(x.shape[2] * scale), int(x.shape[3] * scale))


class Upsample(nn.Module):
    """A 1×1 convolution with BatchNorm, enlarged by the nearest pixel: (B, c, H, W) -> (B, c', 2ⁿ H, 2ⁿ W)."""

    def __init__(self, width_in: int, width_out: int, levels: int, norm: Norm) -> None:
        super().__init__()
        self.body, self.factor = nn.Sequential(*conv_bn(width_in, width_out, norm=norm)), float(2**levels)

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.body(x), scale_factor=self.factor, mode="nearest")


def downsample(width_in: int, width_out: int, levels: int, norm: Norm) -> nn.Sequential:
    """Depthwise 3×3 convolutions of stride 2, one per level, then a 1×1 convolution; each with BatchNorm."""
    halved = [
        layer for _ in range(levels) for layer in conv_bn(width_in, width_in, 3, stride=2, groups=width_in, norm=norm)
    ]
    return nn.Sequential(*halved, *conv_bn(width_in, width_out, norm=norm))


class ParallelStage(nn.Module):
    """Blocks of every path, each run or skipped, then exchanges between the paths, each there or not: maps -> maps.

    What a path has in the end is its own map and the sum of what it gets from the others.

    Args:
        name: The name of the stage, which those of its choices begin with.
        paths: The paths, the finest first.
        norm: Maker of BatchNorms.
    """

    def __init__(self, name: str, paths: Sequence[Resolution], norm: Norm) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(*(_optional(f"{name}.path{p}.block{b}", path, norm) for b in range(path.blocks)))
            for p, path in enumerate(paths)
        )
        self.fusions = nn.ModuleDict(
            {
                f"{source}to{to}": _fusion(f"{name}.fuse{source}to{to}", paths[source], path, to - source, norm)
                for to, path in enumerate(paths)
                for source in range(len(paths))
                if source != to
            }
        )
        self.sources = len(paths)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        maps = [blocks(x) for blocks, x in zip(self.blocks, maps, strict=True)]
        fused = []
        for to, own in enumerate(maps):
            terms = [own]
            for source in range(self.sources):
                if source != to and not is_silent(self.fusions[f"{source}to{to}"]):
                    terms.append(self.fusions[f"{source}to{to}"](maps[source]))
            fused.append(total(terms))
        return fused


def _optional(name: str, path: Resolution, norm: Norm) -> OpChoice:
    block = InvertedResidual(
        path.width,
        path.width,
        expansion=path.expansion,
        kernel=path.kernel,
        stride=1,
        norm=norm,
        gated=path.gated,
        activation="hswish",
    )
    return OpChoice(name, {SKIP: nn.Identity(), BLOCK: block})


def _fusion(name: str, source: Resolution, to: Resolution, levels: int, norm: Norm) -> OpChoice:
    fuse = (
        downsample(source.width, to.width, levels, norm)
        if levels > 0
        else Upsample(source.width, to.width, -levels, norm)
    )
    return OpChoice(name, {NONE: NoFusion(to.width, levels), FUSE: fuse})


class ImagesHead(nn.Module):
    """Means of all paths, a hidden layer, logits: maps -> (B, K).

    Args:
        widths: Widths of the paths.
        hidden: Width of the hidden layer.
        outputs: The number K of values.
        dropout: Share of the hidden layer that is dropped.
    """

    def __init__(self, widths: Sequence[int], hidden: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(sum(widths), hidden), activation_layer("hswish"), nn.Dropout(dropout), nn.Linear(hidden, outputs)
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        logits: Tensor = self.body(torch.cat([x.mean((2, 3)) for x in maps], 1))
        return logits


class PixelsHead(nn.Module):
    """All paths enlarged to the finest, a 1×1 convolution, values of pixels: maps -> (B, K, h, w).

    Args:
        widths: Widths of the paths.
        hidden: Width of the hidden layer.
        outputs: The number K of values.
        norm: Maker of BatchNorms.
    """

    def __init__(self, widths: Sequence[int], hidden: int, outputs: int, norm: Norm) -> None:
        super().__init__()
        self.join = nn.Sequential(*conv_bn(sum(widths), hidden, norm=norm, activation="hswish"))
        self.values = nn.Conv2d(hidden, outputs, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        size = maps[0].shape[2:]
        coarser = [F.interpolate(x, size=size, mode="bilinear", align_corners=False) for x in maps[1:]]
        values: Tensor = self.values(self.join(torch.cat([maps[0], *coarser], 1)))
        return values


class MultiTaskNet(nn.Module):
    """Stem, beginnings of the paths, stages, heads: (B, C, H, W) -> logits, or what the head of each task returns.

    Args:
        stem: The first layers.
        begins: A module per path; that of the first one takes what the stem gives, others the map of the one before.
        stages: The stages.
        heads: The heads by task.
        named: Whether what heads return is given by name; otherwise there is one head, and the result is its.
    """

    def __init__(
        self,
        stem: nn.Module,
        begins: Sequence[nn.Module],
        stages: Sequence[ParallelStage],
        heads: Mapping[str, nn.Module],
        *,
        named: bool,
    ) -> None:
        super().__init__()
        self.stem, self.begins, self.stages = stem, nn.ModuleList(begins), nn.ModuleList(stages)
        self.heads, self.named = nn.ModuleDict(heads), named

    def forward(self, x: Tensor) -> Tensor | dict[str, Tensor]:
        maps: list[Tensor] = []
        x = self.stem(x)
        for begin in self.begins:
            x = begin(x)
            maps.append(x)
        for stage in self.stages:
            maps = stage(maps)
        found: dict[str, Tensor] = {name: head(maps) for name, head in self.heads.items()}
        return found if self.named else next(iter(found.values()))
