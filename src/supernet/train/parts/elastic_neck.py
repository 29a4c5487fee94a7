"""A perceptron behind features whose number depends on the architecture, and a predictor behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zlib import crc32

import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.headless import classifier
from supernet.train.part import Setting
from supernet.train.processes.seeds import seeded


class ElasticNeck(nn.Module):
    """Linear, perhaps BatchNorm, ReLU, linear: features (B, d) -> (B, width), float32, for any d up to D.

    Fewer features go through the first columns of the first layer, as those of an elastic layer do.

    Args:
        features: D.
        hidden: The number of units between.
        width: The number of outputs.
        normalise: Whether BatchNorm follows the first layer.
    """

    def __init__(self, features: int, hidden: int, width: int, *, normalise: bool = False) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(features, hidden), nn.Linear(hidden, width)
        self.norm = nn.BatchNorm1d(hidden) if normalise else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        inner = F.linear(x.float(), self.first.weight[:, : x.shape[1]], self.first.bias)
        out: Tensor = self.last(self.norm(inner).relu())
        return out


@dataclass(frozen=True, kw_only=True)
class ElasticNeckOfNet:
    """Builds an `ElasticNeck` behind what enters the classifier of the supernet.

    Weights are drawn as by He et al. (`kaiming_normal_`), biases are zero. All that are built in one training with one
    `draw` begin with the same weights, such as those of a student and of its teacher.

    Args:
        hidden: The number of units between.
        width: The number of outputs.
        normalise: Whether BatchNorm follows the first layer (BYOL).
        learn: Whether its weights have a gradient.
        draw: What the first weights are drawn by, beside the seed of the training.

    Raises:
        UsageError: a number below 1; when it is built, a network without a classifier.
    """

    hidden: int = 2048
    width: int = 128
    normalise: bool = False
    learn: bool = True
    draw: str = "neck"

    def __post_init__(self) -> None:
        _check("neck", self.hidden, self.width)

    def __call__(self, setting: Setting) -> ElasticNeck:
        """The module, on the device of the supernet."""
        last = classifier(setting.net, varying=True)
        with seeded(setting.seed, crc32(self.draw.encode())):
            built = ElasticNeck(last.in_features, self.hidden, self.width, normalise=self.normalise)
            for layer in (built.first, built.last):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        return built.requires_grad_(self.learn).to(last.weight.device)


@dataclass(frozen=True, kw_only=True)
class PredictorOfKeys:
    """Builds BYOL's predictor: linear, BatchNorm, ReLU, linear, (B, width) -> (B, width); weights from N(0, 0.01²).

    Args:
        hidden: The number of units between.
        width: The number of inputs and of outputs.

    Raises:
        UsageError: a number below 1.
    """

    hidden: int = 4096
    width: int = 256

    def __post_init__(self) -> None:
        _check("predictor", self.hidden, self.width)

    def __call__(self, setting: Setting) -> ElasticNeck:
        """The module, on the device of the supernet."""
        built = ElasticNeck(self.width, self.hidden, self.width, normalise=True)
        for layer in (built.first, built.last):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        device: Any = next(setting.net.parameters()).device
        return built.to(device)


def _check(what: str, hidden: int, width: int) -> None:
    if hidden < 1 or width < 1:
        raise UsageError(f"A {what} has 1 unit or more; got hidden={hidden} and width={width}.")
