"""Networks that worker processes can build: functions at the top level of a module."""

from __future__ import annotations

import multiprocessing
import os

import torch
from torch import nn

from small_nets import convolution
from supernet import OpChoice, Supernet
from supernet.nn import batch_norm


def build() -> Supernet:
    """Two choice blocks; weights from torch's generator, as it stands."""
    blocks = [
        OpChoice(f"block{i}", {"conv3": convolution(4, 3), "conv1": convolution(4, 1), "skip": nn.Identity()})
        for i in range(2)
    ]
    head = (nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.1), nn.Linear(16, 10))
    stem = (nn.Conv2d(1, 4, 3, padding=1, stride=2), batch_norm(4, statistics="track"), nn.ReLU())
    return Supernet(nn.Sequential(*stem, *blocks, *head))


def dies() -> Supernet:
    """Ends every process but the first."""
    if multiprocessing.parent_process() is not None:
        os._exit(1)
    return build()


class Scale(nn.Module):
    """A parameter of its own, and no way to draw it afresh."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale
