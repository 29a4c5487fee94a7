"""A small elastic net that reads the setting `drop_path`, as single-stage models do."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from supernet import Choice, ElasticBatchNorm2d, ElasticConv2d, ElasticDepth, ElasticLinear, Supernet
from supernet.nn import DropPath


class Residual(nn.Module):
    """A block that images may go without."""

    def __init__(self, width: Choice, kernel: Choice) -> None:
        super().__init__()
        self.body = nn.Sequential(ElasticConv2d(width, width, kernel), ElasticBatchNorm2d(width), nn.ReLU(), DropPath())

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


def dropping_net(*, seed: int = 0) -> Supernet:
    """Elastic width, kernel and depth of residual blocks with drop-path; dropout before the classifier."""
    width, depth = Choice("width", (4, 8)), Choice("depth", (1, 2))
    kernels = [Choice("kernel0", (1, 3)), Choice("kernel1", (1, 3), when=depth > 1)]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Supernet(
            nn.Sequential(
                ElasticConv2d(1, width, 3, stride=2),
                ElasticBatchNorm2d(width),
                nn.ReLU(),
                ElasticDepth(depth, [Residual(width, kernel) for kernel in kernels]),
                nn.Flatten(),
                nn.Dropout(0.2),
                ElasticLinear(width * 16, 10),
            )
        )
