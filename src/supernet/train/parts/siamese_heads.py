"""Projectors and predictors behind the stages of a network, and the average of the projectors (BYOL, BossNAS)."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.batch import Fields, mapped, placed
from supernet.nn.input_shape import example
from supernet.nn.stage_modules import StageNames, stage_names, stages_module
from supernet.nn.stage_paths import StagePaths
from supernet.train.optimisers._protocol import check_number
from supernet.train.part import Setting

Shape = tuple[int, int]
"""Channels and height of a feature map."""


class Projector(nn.Module):
    """Feature maps (B, C, H, W) to vectors (B, D): means of the pixels and two linear layers.

    Paths may end at maps of several widths. Those with other channels than the widest go through a depthwise
    convolution over as many pixels as they are larger, a 1 × 1 convolution and BatchNorm.

    Args:
        shapes: The maps that may come: channels and height.
        hidden: Width between the linear layers.
        features: Width D of the vectors.
    """

    def __init__(self, shapes: Sequence[Shape], hidden: int, features: int) -> None:
        super().__init__()
        widest = max(channels for channels, _ in shapes)
        side = min(height for channels, height in shapes if channels == widest)
        self.widest, self.fit = widest, nn.ModuleDict()
        for channels, height in shapes:
            if channels == widest or str(channels) in self.fit:
                continue
            over = max(1, height // side)
            self.fit[str(channels)] = nn.Sequential(
                nn.Conv2d(channels, channels, over, stride=over, groups=channels, bias=False),
                nn.Conv2d(channels, widest, 1, bias=False),
                nn.BatchNorm2d(widest),
            )
        self.layers = _two_layers(widest, hidden, features)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] != self.widest:
            if str(x.shape[1]) not in self.fit:
                raise UsageError(
                    f"A stage returned {x.shape[1]} channels, and its projector knows {self.widest} and "
                    f"{', '.join(self.fit) or 'no others'}: no single choice of the stage showed this width. Give the "
                    "stage one choice for the width that it returns."
                )
            x = self.fit[str(x.shape[1])](x)
        found: Tensor = self.layers(x.mean((2, 3)))
        return found


class SiameseHeads(nn.Module):
    """For every stage a projector, a predictor, and a projector that averages follow and gradients do not.

    Args:
        shapes: The maps at the end of each stage.
        hidden: Width between the linear layers of each.
        features: Width D of projections and predictions.
    """

    def __init__(self, shapes: Sequence[Sequence[Shape]], hidden: int, features: int) -> None:
        super().__init__()
        self.projectors = nn.ModuleList(Projector(stage, hidden, features) for stage in shapes)
        self.predictors = nn.ModuleList(_two_layers(features, hidden, features) for _ in shapes)
        for projector in self.projectors:
            for layer in _linear(projector):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        for layer in _linear(self.predictors):
            nn.init.normal_(layer.weight, std=0.01)
        self.targets = copy.deepcopy(self.projectors).requires_grad_(False)

    def predicted(self, stage: int, features: Tensor) -> Tensor:
        """What the predictor makes of the projection (B, D) of features (B, C, H, W)."""
        found: Tensor = self.predictors[stage](self.projectors[stage](features))
        return found

    def target(self, stage: int, features: Tensor) -> Tensor:
        """The projection (B, D) of features (B, C, H, W) by the average."""
        found: Tensor = self.targets[stage](features)
        return found


@dataclass(frozen=True, kw_only=True)
class ProjectionHeads:
    """Builds `SiameseHeads` for the stages of the supernet, for a part of a recipe that is stepped with the weights.

    Args:
        hidden: Width between the linear layers.
        features: Width of projections and predictions.
        stages: The number of stages that have heads, from the first on; or their modules by name.

    Raises:
        UsageError: a width below 1; while it is built, stages that there are not.
    """

    hidden: int = 4096
    features: int = 256
    stages: int | StageNames = 4

    def __post_init__(self) -> None:
        check_number("The hidden width of projectors", self.hidden, at_least=1)
        check_number("The width of projections", self.features, at_least=1)

    def __call__(self, setting: Setting) -> SiameseHeads:
        """The heads with fresh weights, for every map that a stage may end at."""
        return SiameseHeads(end_shapes(setting.net, first_stages(setting.net, self.stages)), self.hidden, self.features)


def first_stages(net: Supernet, stages: int | StageNames) -> tuple[tuple[str, ...], ...]:
    """The modules of the first stages of a network, or of those that are named.

    Raises:
        UsageError: the network has fewer stages, or as `stage_names`.
    """
    found = stage_names(net, None if isinstance(stages, int) else stages)
    if isinstance(stages, int):
        if not 1 <= stages <= len(found):
            raise UsageError(
                f"{stages} stages were to be trained, but {type(net.module).__name__} has {len(found)}. Give a number "
                f"from 1 to {len(found)}, as stages={len(found)}."
            )
        return found[:stages]
    return found


@torch.no_grad()
def end_shapes(net: Supernet, stages: Sequence[Sequence[str]]) -> list[list[Shape]]:
    """Channels and heights at the end of each stage, of the smallest subnet and with each option of one choice.

    Raises:
        UsageError: the network does not know the shape of its images, or a stage returns no maps.
    """
    if net.input_shape is None:
        raise UsageError("The network does not know the shape of its images. Give it: net.input_shape = (C, H, W).")
    device = next(net.parameters(), torch.zeros(())).device
    x: Fields = mapped(example(net.input_shape, 2), lambda t: placed(t, device))
    modes = [(module, module.training) for module in net.modules()]
    belong_to, net.calibrated_for = net.calibrated_for, None
    net.eval()
    try:
        return [sorted(set(_ends(net, stages, number, x))) for number in range(len(stages))]
    finally:
        net.calibrated_for = belong_to
        for module, mode in modes:
            module.training = mode


def _ends(net: Supernet, stages: Sequence[Sequence[str]], number: int, x: Fields) -> Iterator[Shape]:
    """The maps at the end of a stage."""
    paths, run = StagePaths(net, stages), stages_module(net, stages[: number + 1])
    base: dict[str, object] = {choice.name: choice.order[0] for choice in net.space.choices}
    varied = [{**base, name: option} for name in paths.reads[number] for option in paths.kinds(number, name)]
    archs = [net.space.arch(options) for options in (base, *varied)]
    for arch in dict.fromkeys(archs):
        with net.active(arch):
            found = run(x)
        if not isinstance(found, Tensor) or found.ndim != 4:
            raise UsageError(
                f"Stage {number}, {', '.join(stages[number])}, returns no feature maps (B, C, H, W), which projectors "
                "take the means of. Name other stages."
            )
        yield int(found.shape[1]), int(found.shape[2])


def _two_layers(width_in: int, hidden: int, width_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width_in, hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True), nn.Linear(hidden, width_out)
    )


def _linear(module: nn.Module) -> Iterator[nn.Linear]:
    """The linear layers inside, with biases of 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.zeros_(cast(Tensor, layer.bias))
            yield layer
