"""Small supernets for tests of training: 8x8 digits, seconds at most."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn

from supernet import Choice, ElasticBatchNorm2d, ElasticConv2d, ElasticDepth, ElasticLinear, OpChoice, Supernet, train
from supernet.data import ImageData, from_arrays
from supernet.nn import Decisions, batch_norm
from supernet.train import Recipe, Step, Updates
from supernet.train.executor import Executor
from supernet.train.parametrisations._protocol import drawn
from supernet.train.processes.launch import launch
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.state import TrainingState
from supernet.train.updates import Stepper

torch.set_num_threads(1)  # tensors this small gain nothing from more, and kernels that split work round differently


def convolution(channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False),
        batch_norm(channels, statistics="track"),
        nn.ReLU(),
    )


def operations_net(*, channels: int = 8, seed: int = 0) -> Supernet:
    """Two choice blocks of three operations; batch norm that tracks statistics; dropout."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        blocks = [
            OpChoice(
                f"block{i}",
                {"conv3": convolution(channels, 3), "conv1": convolution(channels, 1), "skip": nn.Identity()},
            )
            for i in range(2)
        ]
        return Supernet(
            nn.Sequential(
                nn.Conv2d(1, channels, 3, padding=1, stride=2),
                batch_norm(channels, statistics="track"),
                nn.ReLU(),
                *blocks,
                nn.AdaptiveAvgPool2d(2),
                nn.Flatten(),
                nn.Dropout(0.05),
                nn.Linear(4 * channels, 10),
            )
        )


def elastic_net(*, seed: int = 0) -> Supernet:
    """Elastic width, kernel and depth, with a gated choice."""
    width, depth = Choice("width", (4, 8)), Choice("depth", (0, 1))
    kernel = Choice("kernel", (1, 3), when=depth > 0)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        block = nn.Sequential(ElasticConv2d(width, width, kernel), ElasticBatchNorm2d(width), nn.ReLU())
        return Supernet(
            nn.Sequential(
                ElasticConv2d(1, width, 3, stride=2),
                ElasticBatchNorm2d(width, statistics="track"),
                nn.ReLU(),
                ElasticDepth(depth, [block]),
                nn.Flatten(),
                nn.Dropout(0.05),
                ElasticLinear(width * 16, 10),
            )
        )


def plain_net(*, seed: int = 0) -> Supernet:
    """One choice block, no batch norm, no dropout: the gradient of a batch is the mean of its images' gradients."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Supernet(
            nn.Sequential(
                OpChoice("block", {"conv3": nn.Conv2d(1, 4, 3, padding=1), "conv1": nn.Conv2d(1, 4, 1)}),
                nn.Tanh(),
                nn.AdaptiveAvgPool2d(2),
                nn.Flatten(),
                nn.Linear(16, 10),
            )
        )


@cache
def images(*, n: int = 240, classes: int = 10, seed: int = 0) -> ImageData:
    """8x8 images whose class is where a bright square stands; made once, faster than any data set."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    pixels = rng.normal(0, 0.3, (n, 8, 8)).astype(np.float32)
    for image, label in zip(pixels, labels, strict=True):
        row, column = divmod(int(label), 4)
        image[2 * row : 2 * row + 3, 2 * column : 2 * column + 2] += 2
    return from_arrays(pixels, labels, name="squares", seed=seed, validation=0.4)


def sgd(lr: float = 0.1, *, momentum: float = 0.0, **settings: Any) -> Updates:
    """As in `supernet.train`, but without momentum."""
    return train.sgd(lr, momentum=momentum, **settings)


def executor(
    net: Supernet,
    data: ImageData,
    *,
    batch_size: int = 16,
    weights: Updates | None = None,
    parts: Mapping[str, nn.Module] | None = None,
    recipe: Recipe | None = None,
) -> Executor:
    """An executor as `fit` makes it, for one move at a time; it steps the weights and parts, or what a recipe does."""
    steppers = {"weights": Stepper(weights or sgd(), net.parameters(), batch_size=batch_size)}
    for name, part in (parts or {}).items():
        steppers[name] = Stepper(sgd(), part.parameters(), batch_size=batch_size)
    if recipe is not None:
        steppers = TrainingState(net, recipe, seed=0, batch_size=batch_size).steppers
    fabric = launch(accelerator="cpu", devices=1, strategy="auto", precision="32-true")
    return Executor(fabric, net.train(), steppers, data, batch_size=batch_size, seed=0, draws={})


def relaxed(relaxation: Relaxation, now: Step) -> Decisions:
    """Decisions of the part `architecture`, as for a move on the weights."""
    return drawn(now, "architecture", relaxation, "weights")


def step(
    net: Supernet,
    index: int = 0,
    *,
    total: int = 10,
    seed: int = 0,
    parts: Mapping[str, nn.Module] | None = None,
) -> Step:
    return Step(index, total, net, np.random.default_rng([seed, index]), parts or {})
