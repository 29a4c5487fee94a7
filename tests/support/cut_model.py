"""A small network of one's own, trained on digits, to be cut."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet import data


class Block(nn.Module):
    """A convolution block that adds to what it is given."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.into = nn.Conv2d(width, hidden, 3, padding=1)
        self.norm = nn.BatchNorm2d(hidden)
        self.back = nn.Conv2d(hidden, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.back(torch.relu(self.norm(self.into(x))))


def build(num_classes: int = 10, width: int = 8, hidden: int = 16) -> nn.Module:
    """The network, which other processes find by `cut_model:build`."""
    blocks = nn.Sequential(Block(width, hidden), Block(width, hidden))
    stem = (nn.Conv2d(1, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU())
    return nn.Sequential(*stem, blocks, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, num_classes))


@cache
def trained() -> dict[str, Tensor]:
    """Its weights after 200 steps on digits."""
    torch.manual_seed(0)
    model = build()
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _, batch in zip(range(200), data.digits().train.stream(64, seed=0), strict=False):
        optimiser.zero_grad()
        F.cross_entropy(model(batch.images), batch.labels).backward()
        optimiser.step()
    return model.state_dict()


def saved(folder: Path) -> Path:
    """A file with these weights."""
    path = folder / "weights.pt"
    torch.save(trained(), path)
    return path
