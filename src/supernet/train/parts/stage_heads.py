"""Classifiers behind the stages of networks, and the weights by which their answers are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from supernet.nn import batch_norm
from supernet.nn.stages import Stages, stages
from supernet.train.part import Setting


class StageHeads(nn.Module):
    """A classifier for every stage but the last, and a learned weight for each and for the network's own logits.

    Several networks with stages of the same channels share it. Their BatchNorms have neither scale nor shift. The
    pooling is the official one: windows of 6 × 6 pixels with stride 2, smaller ones where a map is below 8 × 8, so that
    2 × 2 remain.

    Args:
        of: The stages.
        learn: Whether the classifiers learn, or keep the weights that they were drawn with.

    Attributes:
        heads: The classifiers, (B, C, H, W) -> (B, K) each.
        ensemble: What the weights are the softmax of (stages,).
    """

    def __init__(self, of: Stages, *, learn: bool = False) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            _head(channels, side, of.classes) for channels, side in zip(of.channels, of.sides, strict=True)
        )
        self.heads.requires_grad_(learn)
        self.ensemble = nn.Parameter(torch.rand(len(of.channels) + 1) / 3)

    def forward(self, maps: Sequence[Tensor], logits: Tensor) -> Tensor:
        """Weighted logits (stages, B, K), by the maps (B, C, H, W) of the stages and the network's logits (B, K)."""
        answers = [*(head(value.float()) for head, value in zip(self.heads, maps, strict=True)), logits]
        return self.ensemble.softmax(0)[:, None, None] * torch.stack(answers)


@dataclass(frozen=True)
class HeadsOfStages:
    """Builds `StageHeads` for the stages of the supernet.

    Args:
        learn: Whether the classifiers learn.
    """

    learn: bool = False

    def __call__(self, setting: Setting) -> StageHeads:
        """The module for one training."""
        return StageHeads(stages(setting.net), learn=self.learn)


def _head(channels: int, side: int, classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.AvgPool2d(min(6, side - 2), stride=2) if side > 2 else nn.AdaptiveAvgPool2d(2),
        nn.Conv2d(channels, 128, 1, bias=False),
        batch_norm(128, affine=False, statistics="track"),
        nn.ReLU(),
        nn.Conv2d(128, 768, 2, bias=False),
        batch_norm(768, affine=False, statistics="track"),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(768, classes),
    )
